// SPDX-License-Identifier: MIT
// Single bits flipped in copies of the database and of its log: a server on such a copy answers what it
// answered before, or an error, or does not start; never anything else. A flip in the log may look like
// the torn end of a power cut; then SQLite, which cannot tell, goes on from the transaction before it.
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { closeSync, openSync, readSync, statSync, writeSync } from "node:fs";
import { after, before, test } from "node:test";
import { FaultServer, full } from "../lib/fault_server.mjs";
import { Reference } from "../lib/reference.mjs";

const flips = full ? 300 : 30;
const rowsInDatabase = 40;
const rowsInLog = 12;

let whole, reference, expected, sent;
before(async () => {
  whole = new FaultServer();
  await whole.start();
  reference = await Reference.make(whole);
  sent = [];
  const users = reference.users(whole);
  for (const index of reference.steps.keys()) await reference.step(users, index);
  const send = async (count) => {
    for (let i = 0; i < count; i += 1) {
      const input = reference.message(Buffer.from(reference.convoId, "hex"));
      sent.push({ id: input.msgId, seq: (await users.alice.ok("sendMessage", input)).seq });
    }
  };
  await send(rowsInDatabase);
  await whole.stop();  // everything is in the database now
  await whole.start();
  await send(rowsInLog);
  await whole.kill9();  // and this in the log
  const copy = new FaultServer({ template: whole.folder });
  await copy.start();
  expected = await readAll(copy);
  assert.deepEqual([...expected.values()].map(({ status }) => status), [...expected].map(() => 200));
  assert.ok(expected.get("alice getMessages 0").body.messages.length > 50);
  await copy.dispose();
});
after(() => whole?.dispose());

/** Every read there is: name -> { status, body }. What moves the read mark comes last. */
async function readAll(server) {
  const users = reference.users(server);
  for (const user of Object.values(users)) user.expectedNames = ["StorageCorrupt"];
  const { alice, bob, carol } = users;
  const { convoId } = reference;
  const asks = [
    ["alice", alice, "getConvos", {}], ["bob", bob, "getConvos", {}], ["carol", carol, "getConvos", {}],
    ["alice", alice, "getEpoch", { convoId }], ["bob", bob, "getGroupInfo", { convoId }],
    ["bob", bob, "getCommits", { convoId, fromEpoch: 1 }],
    ["carol", carol, "getKeyPackageStats", { did: carol.did }],
    ["carol", carol, "getMessages", { convoId, limit: 100 }],
    ["alice", alice, "getMessages", { convoId, limit: 100 }],
  ];
  const answers = new Map();
  for (const [index, [name, user, method, input]] of asks.entries()) {
    const { status, body } = await user.tryOnce(method, input);
    delete body.expiresAt;  // counted from now
    answers.set(method === "getMessages" ? `${name} getMessages 0` : `${name} ${method} ${index}`, { status, body });
  }
  return answers;
}

function flip(path) {
  const offset = randomInt(statSync(path).size);
  const bit = randomInt(8);
  const file = openSync(path, "r+");
  const byte = Buffer.alloc(1);
  readSync(file, byte, 0, 1, offset);
  byte[0] ^= 1 << bit;
  writeSync(file, byte, 0, 1, offset);
  closeSync(file);
  return `bit ${bit} of byte ${offset} of ${path.split("/").at(-1)}`;
}

/** An earlier state of the same history: what a cut log leaves. Rows 1..M as they were, M < N. */
function isEarlier(found, before) {
  const [rows, all] = [found.body.messages, before.body.messages];
  return rows && rows.length < all.length && rows.every((row, index) => JSON.stringify(row) === JSON.stringify(all[index]));
}

/** "right", "refused", or "cut" for a server that knows a little less; anything else is a failure. */
function judge(answers, inLog) {
  let verdict = "right";
  for (const [name, { status, body }] of answers) {
    const before = expected.get(name);
    if (status >= 500) {
      assert.ok(["StorageCorrupt", "TemporarilyUnavailable"].includes(body.error), `${name}: ${status} ${body.error}`);
      verdict = verdict === "cut" ? "cut" : "refused";
      continue;
    }
    if (status === 200 && JSON.stringify(body) === JSON.stringify(before.body)) continue;
    assert.ok(inLog, `${name}: ${status} ${JSON.stringify(body).slice(0, 400)}`);
    if (name.includes("getMessages")) assert.ok(isEarlier({ body }, before), `${name} is not an earlier state`);
    verdict = "cut";
  }
  return verdict;
}

async function onFlipped(suffix) {
  const server = new FaultServer({ template: whole.folder });
  const where = flip(server.database + suffix);
  try {
    const started = await server.start().then(() => true, (error) => {
      assert.match(error.message, /it ended: \{"code":[12],/, where);
      return false;
    });
    if (!started) return "not started";
    const verdict = judge(await readAll(server), suffix !== "");
    const corrupt = server.lines.filter((line) => line.includes("stored data is damaged"));
    if (verdict === "refused") assert.ok(corrupt.length > 0, `${where}: refused, and no line in the log`);
    for (const line of server.lines) assert.doesNotMatch(line, /did:plc/);
    return verdict;
  } catch (error) {
    throw new Error(`${where}: ${error.message}`, { cause: error });
  } finally {
    await server.dispose();
  }
}

test("no flipped bit is ever served as data", async (t) => {
  const tally = {};
  for (let count = 0; count < flips; count += 1) {
    const suffix = count % 3 === 2 ? "-wal" : "";
    const verdict = `${suffix ? "log" : "database"} ${await onFlipped(suffix)}`;
    tally[verdict] = (tally[verdict] ?? 0) + 1;
  }
  assert.ok(!full || tally["database refused"] > 0, JSON.stringify(tally));
  t.diagnostic(JSON.stringify(tally));
});
