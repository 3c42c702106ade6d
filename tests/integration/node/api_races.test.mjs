// SPDX-License-Identifier: MIT
// Many at once: one commit wins each epoch, numbers have no gap, and a reader that is too slow is told
// and cut, and goes on by its cursor.
import assert from "node:assert/strict";
import { get } from "node:http";
import { after, before, test } from "node:test";
import { EventStream } from "./lib/event_stream.mjs";
import { bareMessage } from "./lib/handmade.mjs";
import { Convo, World, base64, prefix } from "./lib/world.mjs";

const buffered = 4;  // events a slow reader may be behind
let world;
before(async () => { world = await World.start({ SSE_BUFFER_SIZE: String(buffered) }); });
after(() => world?.end());

test("of many commits on one epoch exactly one wins; the others are told the new epoch", async () => {
  const users = await world.users("a", "b", "c", "d", "e", "f", "g", "h");
  const convo = await Convo.create(users[0], users.slice(1));
  for (let round = 0; round < 5; round += 1) {
    const answers = await Promise.all(users.flatMap((user) => [0, 1].map(() => user.call("addMembers", convo.commit({ didList: [] })))));
    const won = answers.filter(({ status }) => status === 200);
    assert.equal(won.length, 1);
    assert.equal(won[0].body.newEpoch, round + 1);
    for (const { status, body } of answers.filter((answer) => answer !== won[0])) {
      assert.equal(`${status} ${body.error}`, "409 EpochMismatch");
      assert.equal(body.message, `EpochMismatch: serverEpoch=${round + 1} clientEpoch=${round}`);
    }
    convo.epoch += 1;
  }
  const { commits } = await users[7].ok("getCommits", { convoId: convo.id, fromEpoch: 1 });
  assert.deepEqual(commits.map(({ epoch }) => epoch), [1, 2, 3, 4, 5]);
});

test("messages and commits at once: no gap, no repetition, epochs only go up, each message in its own epoch", async () => {
  const users = await world.users("a", "b", "c", "d");
  const convo = await Convo.create(users[0], users.slice(1));
  const acked = [];
  let refused = 0;
  const say = async (user) => {
    const input = convo.message();
    const { status, body } = await user.call("sendMessage", input);
    if (status === 200) acked.push({ ...body, sent: input.epoch });
    else {
      assert.equal(`${status} ${body.error}`, "409 Conflict");
      refused += 1;
    }
  };
  for (let round = 0; round < 6; round += 1) {
    const committing = users[round % 4].ok("addMembers", convo.commit({ didList: [] }));
    await Promise.all([...users, ...users].map(say));
    await committing;
    convo.epoch += 1;
  }
  const rows = await users[0].rows(convo.id);
  assert.deepEqual(rows.map(({ seq }) => seq), rows.map((_, index) => index + 1));
  rows.reduce((last, { epoch }) => { assert.ok(epoch >= last); return epoch; }, 0);
  assert.equal(rows.filter(({ messageType }) => messageType === "app").length, acked.length);
  assert.equal(acked.length + refused, 48);
  for (const { messageId, seq, epoch, sent } of acked) {
    assert.equal(rows[seq - 1].id, messageId);
    assert.equal(rows[seq - 1].epoch, epoch);
    assert.equal(epoch, sent);
  }
});

test("messages sent one after the other are numbered one after the other", async () => {
  const alice = await world.user("a");
  const convo = await Convo.create(alice);
  const seqs = [];
  for (let count = 0; count < 20; count += 1) seqs.push((await convo.send(alice)).seq);
  assert.deepEqual(seqs, Array.from({ length: 20 }, (_, index) => index + 1));
});

/** A stream that is not read until `resume` is called, which gives all that is in it up to its end. */
async function unreadStream(user, convoId) {
  const nsid = `${prefix}streamConvoEvents`;
  const token = await user.identity.token(nsid);
  const response = await new Promise((resolve, reject) => {
    get(`${world.server.url}/xrpc/${nsid}?convoId=${convoId}`, { headers: { authorization: `Bearer ${token}` } }, resolve).on("error", reject);
  });
  assert.equal(response.statusCode, 200);
  await new Promise((resolve) => response.once("readable", resolve));  // the first word
  return async () => {
    let text = "";
    for await (const chunk of response.setEncoding("utf8")) text += chunk;
    return text.split("\n\n").filter((block) => block.startsWith("data: ")).map((block) => JSON.parse(block.slice("data: ".length)));
  };
}

test("a reader that is too slow is told, cut, and loses nothing by coming back with its cursor", async () => {
  const [alice, bob] = await world.users("a", "b");
  const convo = await Convo.create(alice, [bob]);
  const resume = await unreadStream(bob, convo.id);
  const frame = () => base64(bareMessage({ ...convo.where, bytes: 3 * 1024 * 1024 }));
  const total = 12;
  for (let count = 0; count < total; count += 1) {
    const $bytes = frame();
    await alice.ok("sendMessage", convo.message({ ciphertext: { $bytes }, paddedSize: Buffer.from($bytes, "base64").length }));
  }

  const events = (await resume()).filter(({ convoId }) => !convoId);  // without notices

  assert.deepEqual(events.map(({ type }) => type), [...Array(events.length - 1).fill("messageEvent"), "infoEvent"]);
  assert.equal(events.at(-1).reason, "slow-consumer");
  const got = events.slice(0, -1).map(({ message }) => message.seq);
  assert.ok(got.length < total);
  assert.deepEqual(got, got.map((_, index) => index + 1), "never skipped");
  const again = new EventStream(world.server, bob.identity, convo.id);
  again.cursor = events.at(-1).cursor;
  await again.open();
  await again.until(total);
  await again.close();
  assert.deepEqual([...got, ...again.rows.map(({ seq }) => seq)], Array.from({ length: total }, (_, index) => index + 1));
});
