// SPDX-License-Identifier: MIT
// kill -9 under load, ten times: what was acknowledged is there exactly once, numbers have no gap,
// and what became of an unanswered request is found out by sending it again.
import assert from "node:assert/strict";
import { randomBytes, randomInt, randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { Directory } from "./lib/directory.mjs";
import { privateMessage } from "./lib/framing.mjs";
import { Server } from "./lib/server.mjs";
import { Xrpc } from "./lib/xrpc.mjs";

const cycles = Number(process.env.CATBIRD_KILL9_CYCLES ?? 10);
const senders = 6;
const convos = 3;
const acksPerCycle = [40, 160];  // The kill comes after a number of acknowledgements in this range.
const suiteName = "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519";

let directory, server;
before(async () => {
  directory = await Directory.start();
  server = new Server(directory.url);
  await server.start();
});
after(async () => {
  await server?.dispose();
  await directory?.close();
});

/** The senders' memory: what was answered, and what was sent and not answered. */
class AckLog {
  acked = new Map();    // msgId -> { convoId, seq }
  unknown = new Map();  // msgId -> { user, input }
  resolved = 0;

  note(input, answer) {
    assert.equal(answer.messageId, input.msgId);
    assert.ok(!this.acked.has(input.msgId), "a msgId is acknowledged once");
    this.acked.set(input.msgId, { convoId: input.convoId, seq: answer.seq });
    this.unknown.delete(input.msgId);
  }
}

function newMessage(convoId) {
  const frame = privateMessage({ groupId: Buffer.from(convoId, "hex"), epoch: 0n, body: randomBytes(randomInt(16, 400)) });
  return {
    convoId, msgId: randomUUID(), epoch: 0, paddedSize: frame.length,
    ciphertext: { $bytes: frame.toString("base64") },
  };
}

/** Sends until the server is gone; any refusal by it fails the test. */
async function sendUntilGone(user, ids, log, onAck) {
  for (let count = 0; ; count += 1) {
    const input = newMessage(ids[(count + randomInt(ids.length)) % ids.length]);
    log.unknown.set(input.msgId, { user, input });
    try {
      log.note(input, await user.post("sendMessage", input));
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;  // fetch: the connection failed
      return;
    }
    onAck();
  }
}

async function loadThenKill(users, ids, log) {
  let left = randomInt(...acksPerCycle);
  let killed;
  const onAck = () => {
    left -= 1;
    if (left === 0) killed = server.kill9();
  };
  await Promise.all(users.map((user) => sendUntilGone(user, ids, log, onAck)));
  assert.ok(killed, "the senders stopped because of the kill");
  await killed;
}

async function resolveUnknown(log) {
  for (const { user, input } of [...log.unknown.values()]) {
    log.note(input, await user.post("sendMessage", input));
    log.resolved += 1;
  }
}

async function rowsOf(user, convoId) {
  const rows = [];
  for (;;) {
    const page = await user.get("getMessages", { convoId, limit: 100, sinceSeq: rows.length });
    rows.push(...page.messages);
    if (page.messages.length < 100) return rows;
  }
}

async function assertLogHolds(users, ids, log) {
  const found = new Map();
  for (const convoId of ids) {
    const rows = await rowsOf(users[randomInt(users.length)], convoId);
    assert.deepEqual(rows.map(({ seq }) => seq), rows.map((_, index) => index + 1), "1..N without a gap");
    for (const row of rows) {
      assert.ok(!found.has(row.id), "a row stands there once");
      found.set(row.id, { convoId, seq: row.seq });
    }
  }
  for (const [msgId, where] of log.acked) assert.deepEqual(found.get(msgId), where, "acknowledged, and there");
  assert.equal(found.size, log.acked.size, "nothing is there that nobody sent");
}

test(`${cycles} times kill -9 under load`, async (t) => {
  const identities = await Promise.all(Array.from({ length: senders }, (_, index) =>
    directory.newUser(`sender${index}`, index % 2 ? "p256" : "k256")));
  const users = identities.map((identity) => new Xrpc(server, identity));
  const ids = Array.from({ length: convos }, () => randomBytes(16).toString("hex"));
  for (const groupId of ids) {
    await users[0].post("createConvo", {
      groupId, cipherSuite: suiteName, idempotencyKey: randomUUID(),
      initialMembers: identities.slice(1).map(({ did }) => did),
    });
  }
  const log = new AckLog();
  for (let cycle = 1; cycle <= cycles; cycle += 1) {
    await t.test(`cycle ${cycle}`, async () => {
      await loadThenKill(users, ids, log);
      await server.start();
      await resolveUnknown(log);
      await assertLogHolds(users, ids, log);
    });
  }
  t.diagnostic(`${log.acked.size} messages, of which ${log.resolved} were unanswered at a kill and sent again`);
});
