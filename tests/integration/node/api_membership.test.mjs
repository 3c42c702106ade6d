// SPDX-License-Identifier: MIT
// Who sees what and may do what: members that joined later, left, were removed, came back; people
// outside, to whom a conversation and no conversation look the same; admins; and what is unread.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { after, before, test } from "node:test";
import { externalCommit, keyPackage } from "./lib/handmade.mjs";
import { Convo, World, base64, isQuery, prefix } from "./lib/world.mjs";
import { lexicons } from "./lib/xrpc.mjs";

let world;
before(async () => { world = await World.start(); });
after(() => world?.end());

const seqsOf = (rows) => rows.map(({ seq }) => seq);
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, index) => from + index);
const committedSeqs = async (user, convo) =>
  seqsOf((await user.ok("getCommits", { convoId: convo.id, fromEpoch: 0 })).commits);

test("who joins later reads what comes after the commit that added it", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const convo = await Convo.create(alice);
  await convo.send(alice);
  await convo.add(alice, [bob]);  // seq 2
  await convo.send(alice);
  await convo.commitOnly(alice);
  assert.deepEqual(seqsOf(await bob.rows(convo.id)), [3, 4]);
  assert.deepEqual(seqsOf((await bob.ok("getMessages", { convoId: convo.id, sinceSeq: 0 })).messages), [3, 4]);
  assert.deepEqual(await committedSeqs(bob, convo), [4]);
  assert.deepEqual(seqsOf(await alice.rows(convo.id)), [1, 2, 3, 4]);
});

test("who was there from the beginning reads everything", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const convo = await Convo.create(alice, [bob]);
  await convo.send(alice);
  assert.deepEqual(seqsOf(await bob.rows(convo.id)), [1]);
});

test("who is added without a commit reads what comes after that", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const convo = await Convo.create(alice);
  await convo.send(alice);
  await alice.ok("addMembers", { convoId: convo.id, didList: [bob.did] });
  await convo.send(alice);
  assert.deepEqual(seqsOf(await bob.rows(convo.id)), [2]);
});

const departures = {
  "removed by a commit": { go: (convo, alice, bob) => convo.remove(alice, bob), last: 3 },
  "removed without a commit": { go: (convo, alice, bob) => alice.ok("removeMember", { convoId: convo.id, targetDid: bob.did }), last: 2 },
  "left without a commit": { go: (convo, alice, bob) => bob.ok("leaveConvo", { convoId: convo.id }), last: 2 },
  "left with a commit": { go: (convo, alice, bob) => convo.change(bob, "leaveConvo", {}), last: 3 },
  "taken out by leaveConvo of the creator": { go: (convo, alice, bob) => convo.change(alice, "leaveConvo", { targetDid: bob.did }), last: 3 },
};

for (const [how, { go, last }] of Object.entries(departures)) {
  test(`who was ${how} reads up to there and nothing later, and does nothing more`, async () => {
    const [alice, bob, carol] = await world.users("alice", "bob", "carol");
    const convo = await Convo.create(alice, [bob]);
    await convo.send(bob);
    await convo.send(alice);
    await go(convo, alice, bob);
    await convo.send(alice);
    await convo.commitOnly(alice);

    assert.deepEqual(seqsOf(await bob.rows(convo.id)), range(1, last));
    assert.deepEqual(await committedSeqs(bob, convo), last === 3 ? [3] : []);
    assert.equal(await bob.viewOf(convo.id), undefined);
    const convoId = convo.id;
    await bob.refused("getEpoch", { convoId }, 403, "NotMember");
    await bob.refused("getWelcome", { convoId }, 403, "NotMember");
    await bob.refused("getGroupInfo", { convoId }, 403, "Unauthorized");
    await bob.refused("streamConvoEvents", { convoId }, 403, "NotMember");
    await bob.refused("sendMessage", convo.message(), 403, "NotMember");
    await bob.refused("updateCursor", { convoId, cursor: "1" }, 403, "NotMember");
    await bob.refused("addMembers", convo.commit({ didList: [carol.did] }), 403, "NotMember");
    await bob.refused("updateGroupInfo", { convoId, groupInfo: base64(await convo.groupInfo()), epoch: convo.epoch }, 403, "Unauthorized");
    await bob.refused("processExternalCommit", { convoId, externalCommit: base64(await externalCommit({ ...convo.where, identity: bob.did })) }, 403, "Unauthorized");
    assert.deepEqual((await alice.viewOf(convoId)).members.map(({ did }) => did), [alice.did]);
  });

  test(`who was ${how} can be added again, and reads from there`, async () => {
    const [alice, bob] = await world.users("alice", "bob");
    const convo = await Convo.create(alice, [bob]);
    await convo.send(alice);
    await go(convo, alice, bob);
    await convo.send(alice);
    await convo.add(alice, [bob]);
    await convo.send(bob);
    const rows = await bob.rows(convo.id);
    const all = await alice.rows(convo.id);
    assert.deepEqual(rows.at(-1), all.at(-1));
    assert.ok(!seqsOf(rows).includes(all.at(-3).seq), "not what was said meanwhile");
    assert.equal(await bob.epochOf(convo.id), convo.epoch);
    assert.equal((await bob.viewOf(convo.id)).members.length, 2);
  });
}

test("a listing by pages of any size is the whole window", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const convo = await Convo.create(alice);
  await convo.send(alice);
  await convo.add(alice, [bob]);
  for (let count = 0; count < 11; count += 1) await (count % 4 === 3 ? convo.commitOnly(alice) : convo.send(bob));
  await convo.remove(alice, bob);
  await convo.send(alice);
  for (const limit of [1, 2, 3, 5, 12, 100]) {
    assert.deepEqual(seqsOf(await bob.rows(convo.id, limit)), range(3, 14), `limit ${limit}`);
  }
});

/** A well-formed call of every method that names a conversation. */
const callsNaming = async (convo, user) => ({
  addMembers: convo.commit({ didList: [] }),
  removeMember: convo.commit({ targetDid: user.did }),
  leaveConvo: convo.commit(),
  processExternalCommit: { convoId: convo.id, externalCommit: base64(await externalCommit({ ...convo.where, identity: user.did })) },
  updateGroupInfo: { convoId: convo.id, groupInfo: base64(await convo.groupInfo()), epoch: convo.epoch },
  getGroupInfo: { convoId: convo.id },
  getEpoch: { convoId: convo.id },
  getCommits: { convoId: convo.id, fromEpoch: 0 },
  sendMessage: convo.message(),
  getMessages: { convoId: convo.id },
  updateCursor: { convoId: convo.id, cursor: "1" },
  getWelcome: { convoId: convo.id },
  confirmWelcome: { convoId: convo.id, success: true },
  invalidateWelcome: { convoId: convo.id, reason: "no key" },
  getSubscriptionTicket: { convoId: convo.id },
  promoteAdmin: { convoId: convo.id, targetDid: user.did },
  demoteAdmin: { convoId: convo.id, targetDid: user.did },
  promoteModerator: { convoId: convo.id, targetDid: user.did },
  demoteModerator: { convoId: convo.id, targetDid: user.did },
  warnMember: { convoId: convo.id, memberDid: user.did, reason: "rude" },
  getPolicy: { convoId: convo.id },
  updatePolicy: { convoId: convo.id, maxMembers: 50 },
  reportMember: { convoId: convo.id, reportedDid: "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa", category: "spam", encryptedContent: { $bytes: "AAAA" } },
  getReports: { convoId: convo.id },
  getAdminStats: { convoId: convo.id },
  getBlockStatus: { convoId: convo.id },
  createInvite: { convoId: convo.id, pskHash: "ab".repeat(32) },
  listInvites: { convoId: convo.id },
  groupInfoRefresh: { convoId: convo.id },
  readdition: { convoId: convo.id },
  rejoin: { convoId: convo.id, keyPackage: base64((await keyPackage({ identity: user.did })).bytes) },
  streamConvoEvents: { convoId: convo.id },
});

test("to an outsider a conversation and no conversation look the same, by every method", async (t) => {
  const [alice, stranger] = await world.users("alice", "stranger");
  const real = await Convo.create(alice);
  const { messageId } = await real.send(alice);
  await alice.ok("updateGroupInfo", { convoId: real.id, groupInfo: base64(await real.groupInfo()), epoch: 0 });
  const none = new Convo(randomBytes(16));
  const [ofReal, ofNone] = [await callsNaming(real, stranger), await callsNaming(none, stranger)];
  const naming = readdirSync(new URL("../../../data/lexicon", import.meta.url))
    .filter((name) => name.startsWith(prefix) && !name.includes(".defs."))
    .map((name) => name.slice(prefix.length, -".json".length))
    .filter((method) => {
      const main = lexicons.getDefOrThrow(prefix + method);
      if (main.type === "subscription") return false;  // demands a ticket, which only members get: api_sockets.test.mjs
      return "convoId" in ((isQuery(method) ? main.parameters : main.input?.schema)?.properties ?? {});
    });
  assert.deepEqual(naming.sort(), Object.keys(ofReal).sort(), "every method that names a conversation is here");
  for (const method of naming) {
    await t.test(method, async () => {
      const seen = await stranger.call(method, ofReal[method]);
      const unseen = await stranger.call(method, ofNone[method]);
      assert.equal(seen.status, 403);
      assert.deepEqual(seen, unseen);
      const name = ["processExternalCommit", "updateGroupInfo", "getGroupInfo", "invalidateWelcome", "groupInfoRefresh", "readdition"].includes(method) ? "Unauthorized" : method === "getAdminStats" ? "NotAuthorized" : "NotMember";
      assert.equal(seen.body.error, name);
    });
  }
  await t.test("nor does a stale epoch or a cursor tell", async () => {
    const old = (convo) => new Convo(convo.groupId, 3);
    for (const method of ["addMembers", "leaveConvo", "sendMessage"]) {
      const [seen, unseen] = [await callsNaming(old(real), stranger), await callsNaming(old(none), stranger)];
      assert.deepEqual(await stranger.call(method, seen[method]), await stranger.call(method, unseen[method]));
    }
    const cursor = (convo) => stranger.call("updateCursor", { convoId: convo.id, cursor: messageId });
    assert.deepEqual(await cursor(real), await cursor(none));
  });
});

test("a message id that an outsider knows does not tell that its conversation exists", async () => {
    const [alice, stranger] = await world.users("alice", "stranger");
    const real = await Convo.create(alice);
    const { messageId: msgId } = await real.send(alice);
    const none = new Convo(randomBytes(16));
    assert.deepEqual(await stranger.call("sendMessage", real.message({ msgId })),
      await stranger.call("sendMessage", none.message({ msgId })));
  });

test("any member adds, only an admin removes, the creator is the first admin", async () => {
  const [alice, bob, carol] = await world.users("alice", "bob", "carol");
  const convo = await Convo.create(alice, [bob]);
  await convo.add(bob, [carol]);
  await carol.refused("removeMember", convo.commit({ targetDid: bob.did }), 403, "NotAdmin");
  await carol.refused("leaveConvo", convo.commit({ targetDid: bob.did }), 403, "NotAdmin");
  await convo.remove(alice, bob);
  const { members } = await alice.viewOf(convo.id);
  assert.deepEqual(members.filter(({ isAdmin }) => isAdmin).map(({ did }) => did), [alice.did]);
});

test("when the last admin leaves, the oldest member becomes one", async () => {
  const [alice, bob, carol] = await world.users("alice", "bob", "carol");
  const convo = await Convo.create(alice);
  await convo.add(alice, [carol]);
  await convo.add(alice, [bob]);
  await alice.ok("leaveConvo", { convoId: convo.id });
  const { members } = await bob.viewOf(convo.id);
  assert.deepEqual(members.filter(({ isAdmin }) => isAdmin).map(({ did }) => did), [carol.did]);
  assert.ok(members.find(({ did }) => did === carol.did).promotedAt);
  await convo.remove(carol, bob);
});

test("the last member may leave, and a re-added admin comes back as a member", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const convo = await Convo.create(alice, [bob]);
  await alice.ok("leaveConvo", { convoId: convo.id });
  await convo.add(bob, [alice]);
  assert.equal((await alice.viewOf(convo.id)).members.find(({ did }) => did === alice.did).isAdmin, false);
  await alice.ok("leaveConvo", { convoId: convo.id });
  await bob.ok("leaveConvo", { convoId: convo.id });
  await bob.refused("getEpoch", { convoId: convo.id }, 403, "NotMember");
  assert.deepEqual(await bob.ok("getConvos"), { conversations: [] });
});

test("a ghost whose leaf is still in the tree is removed again by a commit, roster unchanged", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const convo = await Convo.create(alice, [bob]);
  await bob.ok("leaveConvo", { convoId: convo.id });
  await convo.remove(alice, bob);
  await alice.ok("removeMember", { convoId: convo.id, targetDid: bob.did });
  assert.equal(await alice.epochOf(convo.id), 1);
});

test("unread is what others said after the mark and after the join", async () => {
  const [alice, bob, carol] = await world.users("alice", "bob", "carol");
  const convo = await Convo.create(alice, [bob]);
  const unread = async () => [await alice.unread(convo.id), await bob.unread(convo.id)];
  assert.deepEqual(await unread(), [0, 0]);
  await convo.send(alice);
  await convo.send(alice);
  await convo.send(bob);
  assert.deepEqual(await unread(), [1, 2], "own messages do not count");
  await convo.commitOnly(alice);
  assert.deepEqual(await unread(), [1, 2], "commits do not count");
  await bob.ok("updateCursor", { convoId: convo.id, cursor: "1" });
  assert.deepEqual(await unread(), [1, 1]);
  await bob.ok("updateCursor", { convoId: convo.id, cursor: "0" });
  assert.deepEqual(await unread(), [1, 1], "a mark does not go back");
  await alice.ok("getMessages", { convoId: convo.id, limit: 2 });
  assert.deepEqual(await unread(), [1, 1], "the page ended before bob's");
  await alice.ok("getMessages", { convoId: convo.id, sinceSeq: 2 });
  assert.deepEqual(await unread(), [0, 1], "reading marks as read");
  await bob.ok("updateCursor", { convoId: convo.id, cursor: "999" });
  await convo.send(alice);
  assert.deepEqual(await unread(), [0, 1], "a mark never goes beyond the end");
  await convo.add(alice, [carol]);
  assert.equal(await carol.unread(convo.id), 0, "nothing from before the join");
  await convo.send(bob);
  assert.equal(await carol.unread(convo.id), 1);
  await world.restart();
  assert.deepEqual([...await unread(), await carol.unread(convo.id)], [1, 1, 1], "after a restart");
});

test("unread of someone who came back counts from the return", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const convo = await Convo.create(alice, [bob]);
  await convo.send(alice);
  await convo.remove(alice, bob);
  await convo.send(alice);
  await convo.add(alice, [bob]);
  assert.equal(await bob.unread(convo.id), 0);
  await convo.send(alice);
  assert.equal(await bob.unread(convo.id), 1);
});
