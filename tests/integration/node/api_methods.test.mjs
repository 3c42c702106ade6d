// SPDX-License-Identifier: MIT
// The form of every v1 method's success, and the forms in which older clients send and expect it.
import assert from "node:assert/strict";
import { createHash, randomBytes, randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { applicationFrame, bareMessage, externalCommit, keyPackage, publicCommit, welcomeFor } from "./lib/handmade.mjs";
import { Convo, World, base64, bytesOf, suite1 } from "./lib/world.mjs";

let world;
before(async () => { world = await World.start(); });
after(() => world?.end());

const unpadded = (text) => text.replace(/=+$/, "");
const urlSafe = (text) => text.replaceAll("+", "-").replaceAll("/", "_");

test("createConvo answers the whole conversation", async () => {
  const [alice, bob] = await world.users("alice", "bob");

  const convo = await Convo.create(alice, [bob], { metadata: { name: "Ünïcode 🐦" } });

  const { view } = convo;
  assert.equal(view.id, convo.id);
  assert.equal(view.conversationId, convo.id);
  assert.equal(view.groupId, convo.id);
  assert.equal(view.creator, alice.did);
  assert.equal(view.epoch, 0);
  assert.equal(view.cipherSuite, suite1);
  assert.deepEqual(view.metadata, { name: "Ünïcode 🐦" });
  const admins = Object.fromEntries(view.members.map(({ did, isAdmin }) => [did, isAdmin]));
  assert.deepEqual(admins, { [alice.did]: true, [bob.did]: false });
  const { lastMessageAt, ...listed } = await alice.viewOf(convo.id);
  assert.equal(lastMessageAt, undefined);
  assert.deepEqual(listed, view);
});

test("a group id in capitals names the conversation in small letters", async () => {
  const alice = await world.user("alice");
  const groupId = randomBytes(16).toString("hex");
  const view = await alice.ok("createConvo", { groupId: groupId.toUpperCase(), cipherSuite: suite1 });
  assert.equal(view.id, groupId);
  assert.equal(await alice.epochOf(groupId.toUpperCase()), 0);
});

test("createConvo with a Welcome begins at epoch 1, or where the creator says", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const { ref } = await bob.publish();
  await alice.ok("getKeyPackages", { dids: [bob.did] });
  const welcomeMessage = base64(welcomeFor([ref]));

  const convo = await Convo.create(alice, [bob], { welcomeMessage });

  assert.equal(convo.view.epoch, 1);
  assert.equal(await bob.epochOf(convo.id), 1);
  const welcome = await bob.ok("getWelcome", { convoId: convo.id });
  assert.deepEqual(welcome, { convoId: convo.id, welcome: welcomeMessage, epoch: 1 });
  const later = await Convo.create(alice, [], { currentEpoch: 7 });
  assert.equal(later.view.epoch, 7);
});

test("members are bare DIDs, with their device beside them", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const convo = await Convo.create(alice.on("phone-1"), []);
  await convo.add(alice, [bob]);

  const view = await bob.viewOf(convo.id);

  assert.deepEqual(view.members.map(({ did }) => did).sort(), [alice.did, bob.did].sort());
  view.members.forEach(({ did, userDid }) => assert.equal(userDid, did));
  assert.equal(view.members.find(({ did }) => did === alice.did).deviceId, "phone-1");
  assert.equal(view.members.find(({ did }) => did === bob.did).deviceId, undefined);
});

test("a device-qualified DID in a request means its user", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const convo = await Convo.create(alice);
  await convo.change(alice, "addMembers", { didList: [`${bob.did}#tablet`] });
  assert.deepEqual((await alice.viewOf(convo.id)).members.map(({ did }) => did).sort(), [alice.did, bob.did].sort());
  assert.equal(await bob.epochOf(convo.id), 1);
});

test("getConvos: everything without a limit; pages without repetition, no cursor on the last", async () => {
  const alice = await world.user("alice");
  const ids = [];
  for (let count = 0; count < 7; count += 1) ids.push((await Convo.create(alice)).id);

  const all = await alice.ok("getConvos");
  assert.equal("cursor" in all, false);
  assert.deepEqual(all.conversations.map(({ id }) => id).sort(), [...ids].sort());

  for (const limit of [1, 3, 7]) {
    const paged = [];
    let cursor;
    do {
      const page = await alice.ok("getConvos", { limit, ...(cursor ? { cursor } : {}) });
      assert.ok(page.conversations.length <= limit && page.conversations.length > 0);
      paged.push(...page.conversations);
      ({ cursor } = page);
    } while (cursor !== undefined);
    assert.deepEqual(paged, all.conversations, `limit ${limit}`);
  }
  assert.equal("cursor" in await alice.ok("getConvos", { limit: 7 }), false);
  const nobody = await world.user("nobody");
  assert.deepEqual(await nobody.ok("getConvos"), { conversations: [] });
});

test("sendMessage echoes the msgId in either case and length, and getMessages shows the exact bytes", async () => {
  const alice = await world.user("alice");
  const convo = await Convo.create(alice);
  const uuid = randomUUID();
  const ids = [uuid, uuid.toUpperCase(), "01KAZZZZZZZZZZZZZZZZZZZZZ0", "01kazzzzzzzzzzzzzzzzzzzzz0"];
  const sent = [];
  for (const msgId of ids) sent.push(await convo.send(alice, { msgId }));

  sent.forEach(({ input, ...answer }, index) => {
    assert.equal(answer.messageId, ids[index]);
    assert.equal(answer.seq, index + 1);
    assert.equal(answer.epoch, 0);
    assert.equal(Date.parse(answer.receivedAt) % 2000, 0);
  });
  const page = await alice.ok("getMessages", { convoId: convo.id });
  assert.equal(page.lastSeq, 4);
  assert.deepEqual(page.messages, sent.map(({ input, seq, receivedAt }) => ({
    id: input.msgId, convoId: convo.id, ciphertext: input.ciphertext, epoch: 0, seq,
    createdAt: receivedAt, messageType: "app",
  })));
  assert.equal(Date.parse((await alice.viewOf(convo.id)).lastMessageAt) % 2000, 0);
});

test("every form of bytes is taken, and one form is given", async () => {
  const alice = await world.user("alice");
  const convo = await Convo.create(alice);
  let frame;  // one with characters that differ between the alphabets, and with padding
  do frame = bareMessage({ ...convo.where, bytes: 61 }); while (!/[+/].*=$/.test(base64(frame)));
  const text = base64(frame);
  const forms = [text, unpadded(text), urlSafe(text), unpadded(urlSafe(text))].flatMap((form) => [form, { $bytes: form }]);

  for (const ciphertext of forms) {
    await alice.ok("sendMessage", { convoId: convo.id, msgId: randomUUID(), epoch: 0, paddedSize: frame.length, ciphertext });
  }

  const rows = await alice.rows(convo.id);
  assert.equal(rows.length, forms.length);
  rows.forEach((row) => assert.deepEqual(row.ciphertext, { $bytes: text }));
  for (const form of forms) {
    const commit = convo.commit({ didList: [] });
    const encoded = form.$bytes ? { $bytes: unpadded(urlSafe(commit.commit)) } : unpadded(urlSafe(commit.commit));
    await alice.ok("addMembers", { ...commit, commit: encoded });
    convo.epoch += 1;
  }
});

test("documented-as-string blobs come out as plain padded base64, byte for byte", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const made = await keyPackage({ identity: bob.did });
  await bob.ok("publishKeyPackage", { keyPackage: { $bytes: unpadded(urlSafe(base64(made.bytes))) }, cipherSuite: suite1 });
  const { keyPackages: [given] } = await alice.ok("getKeyPackages", { dids: [bob.did] });
  assert.equal(given.keyPackage, base64(made.bytes));
  assert.equal(given.keyPackageHash, createHash("sha256").update(made.bytes).digest("hex"));
  const convo = await Convo.create(alice);
  const groupInfo = base64(await convo.groupInfo());
  await alice.ok("updateGroupInfo", { convoId: convo.id, groupInfo: { $bytes: unpadded(urlSafe(groupInfo)) }, epoch: 0 });
  const stored = await alice.ok("getGroupInfo", { convoId: convo.id });
  assert.equal(stored.groupInfo, groupInfo);
  assert.equal(stored.epoch, 0);
  assert.ok(Date.parse(stored.expiresAt) > Date.now());
});

test("a commit row names the epoch it leads to, is not padded, and is the same in every listing", async () => {
  const alice = await world.user("alice");
  const convo = await Convo.create(alice);
  await convo.send(alice);
  const { input, answer } = await convo.commitOnly(alice);
  assert.deepEqual(answer, { success: true, newEpoch: 1 });

  const row = (await alice.rows(convo.id))[1];
  assert.equal(row.messageType, "commit");
  assert.equal(row.epoch, 1);
  assert.equal(row.ciphertext.$bytes, input.commit);
  const { commits: [listed], convoId } = await alice.ok("getCommits", { convoId: convo.id, fromEpoch: 1 });
  assert.equal(convoId, convo.id);
  assert.equal(listed.id, row.id);
  assert.equal(listed.epoch, 1);
  assert.equal(listed.seq, row.seq);
  assert.equal(listed.sender, alice.did);
  assert.deepEqual(listed.commitData, row.ciphertext);
});

test("getCommits is bounded by the epochs asked for, both included", async () => {
  const alice = await world.user("alice");
  const convo = await Convo.create(alice);
  for (let count = 0; count < 5; count += 1) await convo.commitOnly(alice);
  const epochs = async (range) =>
    (await alice.ok("getCommits", { convoId: convo.id, ...range })).commits.map(({ epoch }) => epoch);

  assert.deepEqual(await epochs({ fromEpoch: 0 }), [1, 2, 3, 4, 5]);
  assert.deepEqual(await epochs({ fromEpoch: 2, toEpoch: 4 }), [2, 3, 4]);
  assert.deepEqual(await epochs({ fromEpoch: 5, toEpoch: 5 }), [5]);
  assert.deepEqual(await epochs({ fromEpoch: 6 }), []);
});

test("getMessages goes up from sinceSeq, from sinceMessage, or from the beginning", async () => {
  const alice = await world.user("alice");
  const convo = await Convo.create(alice);
  const sent = [];
  for (let count = 0; count < 5; count += 1) sent.push(await convo.send(alice));
  const seqs = async (extra) => (await alice.ok("getMessages", { convoId: convo.id, ...extra })).messages.map(({ seq }) => seq);

  assert.deepEqual(await seqs({}), [1, 2, 3, 4, 5]);
  assert.deepEqual(await seqs({ limit: 2 }), [1, 2]);
  assert.deepEqual(await seqs({ sinceSeq: 3 }), [4, 5]);
  assert.deepEqual(await seqs({ sinceSeq: 2, limit: 2 }), [3, 4]);
  assert.deepEqual(await seqs({ sinceMessage: sent[1].messageId }), [3, 4, 5]);
  assert.deepEqual(await seqs({ sinceSeq: 5 }), []);
  assert.deepEqual(await seqs({ sinceSeq: 500 }), []);
});

test("newEpoch is there on every success: with a commit, without one, and for each method", async () => {
  const [alice, bob, carol, dave] = await world.users("alice", "bob", "carol", "dave");
  const convo = await Convo.create(alice);

  assert.deepEqual(await alice.ok("addMembers", { convoId: convo.id, didList: [bob.did] }), { success: true, newEpoch: 0 });
  await convo.add(alice, [carol, dave]);
  assert.deepEqual(await alice.ok("removeMember", { convoId: convo.id, targetDid: bob.did }), { ok: true, epochHint: 1, newEpoch: 1 });
  const removed = await convo.remove(alice, carol);
  assert.deepEqual(removed.answer, { ok: true, epochHint: 2, newEpoch: 2 });
  const rejoin = await alice.ok("processExternalCommit", {
    convoId: convo.id, externalCommit: base64(await externalCommit({ ...convo.where, identity: alice.did })),
    groupInfo: base64(await convo.groupInfo(3)), idempotencyKey: randomUUID(),
  });
  assert.equal(rejoin.epoch, 3);
  assert.equal(rejoin.newEpoch, 3);
  assert.ok(Math.abs(Date.parse(rejoin.rejoinedAt) - Date.now()) < 600_000);
  convo.epoch = 3;
  assert.deepEqual(await dave.ok("leaveConvo", { convoId: convo.id }), { success: true, newEpoch: 3 });
  assert.equal(await alice.epochOf(convo.id), 3);
  assert.deepEqual((await alice.viewOf(convo.id)).members.map(({ did }) => did), [alice.did]);
});

test("removeMember takes several targets, and one commit for all of them", async () => {
  const [alice, bob, carol] = await world.users("alice", "bob", "carol");
  const convo = await Convo.create(alice, [bob, carol]);
  await convo.change(alice, "removeMember", { targetDids: [bob.did, carol.did] });
  assert.deepEqual((await alice.viewOf(convo.id)).members.map(({ did }) => did), [alice.did]);
});

test("a public commit that adds by value adds exactly whom the request names", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const convo = await Convo.create(alice);
  const made = await bob.publish();
  const commit = base64(publicCommit({ ...convo.where, adds: [made.bytes] }));
  await alice.refused("addMembers", { convoId: convo.id, didList: [], commit }, 400, "InvalidCommit");
  const answer = await alice.ok("addMembers", { convoId: convo.id, didList: [bob.did], commit });
  assert.deepEqual(answer, { success: true, newEpoch: 1 });
  assert.deepEqual((await bob.viewOf(convo.id)).members.map(({ did }) => did).sort(), [alice.did, bob.did].sort());
});

test("a proposal is numbered and shown as one", async () => {
  const alice = await world.user("alice");
  const convo = await Convo.create(alice);
  const frame = bareMessage({ ...convo.where, type: "proposal" });
  await convo.send(alice, { ciphertext: { $bytes: base64(frame) }, paddedSize: frame.length });
  const [row] = await alice.rows(convo.id);
  assert.equal(row.messageType, "proposal");
  assert.deepEqual(bytesOf(row.ciphertext), frame);
});

test("updateCursor takes a seq as text and the id of a message", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const convo = await Convo.create(alice, [bob]);
  const sent = [];
  for (let count = 0; count < 3; count += 1) sent.push(await convo.send(alice));
  assert.deepEqual(await bob.ok("updateCursor", { convoId: convo.id, cursor: "1" }), { success: true });
  assert.equal(await bob.unread(convo.id), 2);
  await bob.ok("updateCursor", { convoId: convo.id, cursor: sent[1].messageId });
  assert.equal(await bob.unread(convo.id), 1);
});

test("unknown fields and nulls in a request are as if they were not there", async () => {
  const alice = await world.user("alice");
  const convo = await Convo.create(alice, [], { metadata: null, welcomeMessage: null, currentEpoch: null, novelty: { deep: [1] } });
  await convo.send(alice, { embedType: "none", idempotencyKey: null, declaredSize: 5, senderDid: "did:plc:bbbbbbbbbbbbbbbbbbbbbbbb" });
  await convo.commitOnly(alice, { welcomeMessage: null, groupInfo: null, keyPackageHashes: null });
  assert.deepEqual((await alice.rows(convo.id)).map(({ messageType }) => messageType), ["app", "commit"]);
});

test("a padded frame may be of any bucket", async () => {
  const alice = await world.user("alice");
  const convo = await Convo.create(alice);
  for (const bytes of [60, 700, 3000, 9000, 20_000]) {
    const frame = applicationFrame({ ...convo.where, bytes });
    await convo.send(alice, { ciphertext: { $bytes: base64(frame) }, paddedSize: frame.length });
  }
  assert.deepEqual((await alice.rows(convo.id)).map(({ ciphertext }) => bytesOf(ciphertext).length), [512, 1024, 4096, 16_384, 24_576]);
});
