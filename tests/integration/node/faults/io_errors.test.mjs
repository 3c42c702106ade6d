// SPDX-License-Identifier: MIT
// A disk that fails ends the server at once and loses nothing that was answered; a disk that is full
// costs 503, and the server goes on when there is room (reliability.md D5, DECISIONS 24).
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { after, before, test } from "node:test";
import { FaultServer, assertSound, calls, errno, full } from "../lib/fault_server.mjs";
import { Reference } from "../lib/reference.mjs";

const goalMs = 1000;                // D5; printed
const ceilingMs = 10 * goalMs;      // and asserted with this much patience (DECISIONS 28)
const stride = full ? 4 : 40;
const first = 1 + randomInt(stride);
const pointsMax = 20_000;           // against a loop that does not end

let template, reference;
before(async () => {
  template = new FaultServer();
  await template.start();
  await template.stop();
  reference = await Reference.make(template);
});
after(() => template?.dispose());

async function onServer(run) {
  const server = new FaultServer({ template: template.folder });
  try {
    await server.start();
    return await run(server, reference.users(server));
  } finally {
    await server.dispose();
  }
}

async function checkAfterRestart(server) {
  await server.stop();
  await server.start();
  await reference.check(server);
  await assertSound(server);
}

/**
 * All steps, with a failure at the n-th call. The server must end by itself, having answered nothing
 * after the failure; started again it must know all it answered. False if there were fewer calls.
 */
const failingAt = (n, fault, worst) => onServer(async (server, users) => {
  server.failAt(n, errno.EIO, fault);
  let died = false;
  for (const index of reference.steps.keys()) {
    const asked = performance.now();
    const [name, method, input] = reference.steps[index];
    // A reply that the failure did not concern may come before it: then it counts like any other.
    const answer = await users[name].tryOnce(method, input).catch((error) => {
      assert.ok(error instanceof TypeError, error);
    });
    if (answer?.status === 200) continue;
    assert.ok(!answer || answer.status === 503, `${method}: ${answer?.status}`);
    const { code, signal } = await server.ended();
    const took = performance.now() - asked;
    assert.deepEqual({ code, signal }, { code: 1, signal: null });
    assert.ok(took < ceilingMs, `${took} ms to the end`);
    worst.ms = Math.max(worst.ms, took);
    died = true;
    server.heal();
    await server.start();
    await reference.step(users, index, true);
  }
  server.heal();
  await reference.check(server);
  await checkAfterRestart(server);
  return died;
});

for (const [what, suffix, mask] of [["write of the log", "-wal", calls.write], ["sync of the log", "-wal", calls.sync]]) {
  test(`an error of any ${what} ends the server, and nothing answered is lost`, async (t) => {
    const worst = { ms: 0 };
    let points = 0;
    // There are few syncs and many writes.
    const step = mask === calls.sync ? Math.ceil(stride / 8) : stride;
    for (let n = 1 + (first % step); n < pointsMax; n += step) {
      // Once, or from then on.
      const died = await failingAt(n, { mask, suffix, times: points % 2 ? Infinity : 1 }, worst).catch((error) => {
        throw new Error(`at call ${n}: ${error.message}`, { cause: error });
      });
      if (!died) break;
      points += 1;
    }
    assert.ok(points > 1);
    t.diagnostic(`${points} points, at most ${worst.ms.toFixed(0)} ms from the request to the end (goal ${goalMs})`);
  });
}

test("an error of any write or sync of the database itself, as the log is emptied at a stop, loses nothing", async (t) => {
  let points = 0;
  const step = Math.ceil(stride / 8);
  for (let n = 1 + (first % step); n < pointsMax; n += step) {
    const hit = await onServer(async (server, users) => {
      for (const index of reference.steps.keys()) await reference.step(users, index);
      server.failAt(n, errno.EIO, { suffix: "catbird.db", times: Infinity });
      // The log keeps everything, so either end is an orderly one.
      await server.stop().catch((error) => assert.match(error.message, /ended with \{"code":1,/));
      const { counted } = server;
      server.heal();
      await server.start();
      await reference.check(server);
      await assertSound(server);
      return counted >= n;
    });
    if (!hit) break;
    points += 1;
  }
  assert.ok(points > 1);
  t.diagnostic(`${points} points`);
});

/** All steps, with a disk that is full from the n-th write on, until it was told once. */
const fullAt = (n, suffix) => onServer(async (server, users) => {
  server.failAt(n, errno.ENOSPC, { mask: calls.write, suffix, times: Infinity });
  let refused = 0;
  for (const index of reference.steps.keys()) {
    const [name, method, input] = reference.steps[index];
    const answer = await users[name].tryOnce(method, input);
    if (answer.status === 200) continue;
    assert.equal(`${answer.status} ${answer.body.error}`, "503 TemporarilyUnavailable");
    assert.ok(Number(answer.retryAfter) > 0);
    refused += 1;
    await reference.check(server, index);  // reads go on
    server.heal();
    await reference.step(users, index);    // and so do writes, in the same process
  }
  server.heal();
  await reference.check(server);
  await checkAfterRestart(server);
  return refused > 0;
});

test("a disk that is full at any write costs 503, and the server goes on when there is room", async (t) => {
  let points = 0;
  for (let n = first; n < pointsMax; n += stride) {
    const hit = await fullAt(n, "-wal").catch((error) => {
      throw new Error(`at call ${n}: ${error.message}`, { cause: error });
    });
    if (!hit) break;
    points += 1;
  }
  assert.ok(points > 1);
  t.diagnostic(`${points} points`);
});

test("a full disk under everything the server writes costs 503 as well, and no answer twice", async () => {
  for (const n of [1, 2, 3, 10, 50]) {
    await fullAt(n, "").catch((error) => { throw new Error(`at call ${n}: ${error.message}`, { cause: error }); });
  }
});
