// SPDX-License-Identifier: MIT
// The server is killed before each call that changes a file, one after the other: writes, syncs,
// truncations, removals, renames. Whatever was answered is there after the next start, and what was
// not is done exactly once by asking again.
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { FaultServer, assertSound, full } from "../lib/fault_server.mjs";
import { Reference } from "../lib/reference.mjs";

const stride = full ? 1 : 12;  // the short form takes every so-manieth call, from a random one on
const pointsMax = 20_000;      // against a loop that does not end
const traceCeilingMs = 60_000;  // against a hang
const lookAgainMs = 5;
const first = 1 + randomInt(stride);

// What changes a file, as far as the kernel has a call for it; the shim knows the first six.
const changing = ["write", "pwrite64", "fsync", "fdatasync", "ftruncate", "unlink", "rename", "unlinkat", "renameat",
  "renameat2", "truncate", "writev", "pwritev", "pwritev2", "fallocate", "sync_file_range", "sendfile", "copy_file_range"];
const known = /^\d+ +(write|pwrite64|fsync|fdatasync|ftruncate|unlink|rename)\(/;

let template, reference;
before(async () => {
  template = new FaultServer();
  await template.start();
  await template.stop();
  reference = await Reference.make(template);
});
after(() => template?.dispose());

/** True if the server was killed meanwhile. */
async function dies(action, server) {
  try {
    await action();
    return false;
  } catch (error) {
    const broke = error instanceof TypeError || /it ended|ended with/.test(error.message);
    if (!broke) throw error;
    await server.assertKilled();
    return true;
  }
}

async function revive(server) {
  server.heal();
  await server.start();
}

test("the shim counts every call that changes a file: the kernel's count is the same", async () => {
  const server = new FaultServer({ template: template.folder });
  const trace = join(tmpdir(), `catbird-trace-${process.pid}`);
  try {
    server.wrapper = ["strace", "-D", "-f", "-q", "-y", "-e", `trace=${changing.join(",")}`, "-o", trace];
    server.count();
    await server.start();
    const users = reference.users(server);
    for (const index of reference.steps.keys()) await reference.step(users, index);
    const ended = new RegExp(`^${server.pid} +\\+\\+\\+ exited`, "m");
    await server.stop();
    const deadline = Date.now() + traceCeilingMs;
    while (!ended.test(readFileSync(trace, "utf8"))) {
      assert.ok(Date.now() < deadline, "the trace has no end");
      await new Promise((resume) => setTimeout(resume, lookAgainMs));
    }
    const seen = readFileSync(trace, "utf8").split("\n").filter((line) => line.includes(server.folder) && !line.includes("resumed>"));
    const ours = seen.filter((line) => known.test(line));
    assert.deepEqual(seen.filter((line) => !known.test(line)), [], "calls that the shim does not know");
    assert.ok(ours.length > 100);
    assert.equal(server.counted, ours.length);
  } finally {
    await server.dispose();
    rmSync(trace, { force: true });
  }
});

test("killed at every call of the first start, the next start finishes it", async (t) => {
  let points = 0;
  for (let n = first; n < pointsMax; n += stride) {
    const server = new FaultServer();
    server.killAt(n);
    const died = await dies(() => server.start(), server);
    if (died) {
      await revive(server);
      await assertSound(server);
      points += 1;
    }
    await server.dispose();
    if (!died) break;
  }
  assert.ok(points > 5);
  t.diagnostic(`${points} points of the first start`);
});

/** Everything with a kill at call n: false if the server made fewer calls than that. */
async function interrupted(n, where) {
  const server = new FaultServer({ template: template.folder });
  try {
    const users = reference.users(server);
    server.killAt(n);
    let died = await dies(() => server.start(), server);
    if (died) {
      where.start += 1;
      await revive(server);
    }
    for (const index of reference.steps.keys()) {
      if (!(await dies(() => reference.step(users, index), server))) continue;
      died = true;
      where.work += 1;
      await revive(server);
      await reference.step(users, index, true);
    }
    if (!died) {
      died = await dies(() => server.stop(), server);
      where.stop += died ? 1 : 0;
      await revive(server);
    }
    await reference.check(server);
    await assertSound(server);
    return died;
  } finally {
    await server.dispose();
  }
}

test("killed at every call of the reference workload, nothing answered is lost", async (t) => {
  const where = { start: 0, work: 0, stop: 0 };
  for (let n = first; n < pointsMax; n += stride) {
    const died = await interrupted(n, where).catch((error) => {
      throw new Error(`killed at call ${n}: ${error.message}`, { cause: error });
    });
    if (!died) break;
  }
  const points = where.start + where.work + where.stop;
  assert.ok(where.work > 10, JSON.stringify(where));
  t.diagnostic(`${points} points: ${JSON.stringify(where)}`);
});
