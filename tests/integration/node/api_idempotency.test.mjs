// SPDX-License-Identifier: MIT
// A request sent again gets its first answer, whatever happened in between; anything else under the
// same key is a conflict; and nobody sees the keys of others.
import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { externalCommit, welcomeFor } from "./lib/handmade.mjs";
import { Convo, World, base64, suite1 } from "./lib/world.mjs";

let world;
before(async () => { world = await World.start(); });
after(() => world?.end());

/** The same object with the keys of every level in another order. */
function reordered(value) {
  if (Array.isArray(value)) return value.map(reordered);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).reverse().map(([key, inner]) => [key, reordered(inner)]));
}

/** One keyed request per method, each in a conversation of its own, and a way to make it differ. */
const keyed = {
  async createConvo() {
    const [caller, bob] = await world.users("alice", "bob");
    const groupId = randomBytes(16);
    const input = {
      groupId: groupId.toString("hex"), cipherSuite: suite1, initialMembers: [bob.did],
      metadata: { name: "first", description: "of two" }, idempotencyKey: randomUUID(),
    };
    return { caller, input, other: { ...input, metadata: { name: "second" } }, convo: new Convo(groupId) };
  },
  async createConvoWithWelcome() {
    const [caller, bob] = await world.users("alice", "bob");
    const made = await bob.publish();
    await caller.ok("getKeyPackages", { dids: [bob.did] });
    const groupId = randomBytes(16);
    const input = {
      groupId: groupId.toString("hex"), cipherSuite: suite1, initialMembers: [bob.did],
      welcomeMessage: base64(welcomeFor([made.ref])), idempotencyKey: randomUUID(),
    };
    return { method: "createConvo", caller, input, other: { ...input, initialMembers: [] }, convo: new Convo(groupId, 1) };
  },
  async addMembers() {
    const [caller, bob, carol] = await world.users("alice", "bob", "carol");
    const convo = await Convo.create(caller, [bob]);
    const input = convo.commit({ didList: [carol.did] });
    return { caller, input, other: { ...input, didList: [] }, convo, advances: true };
  },
  async addMembersWithoutCommit() {
    const [caller, bob, carol] = await world.users("alice", "bob", "carol");
    const convo = await Convo.create(caller, [bob]);
    const input = { convoId: convo.id, didList: [carol.did], idempotencyKey: randomUUID() };
    return { method: "addMembers", caller, input, other: convo.commit({ didList: [carol.did], idempotencyKey: input.idempotencyKey }), convo };
  },
  async removeMember() {
    const [caller, bob, carol] = await world.users("alice", "bob", "carol");
    const convo = await Convo.create(caller, [bob, carol]);
    const input = convo.commit({ targetDid: carol.did });
    return { caller, input, other: { ...input, targetDid: bob.did }, convo, advances: true };
  },
  async leaveConvo() {
    const [alice, caller] = await world.users("alice", "bob");
    const convo = await Convo.create(alice, [caller]);
    const input = { convoId: convo.id, idempotencyKey: randomUUID() };
    return { caller, admin: alice, input, other: { ...input, targetDid: alice.did }, convo, departs: true };
  },
  async processExternalCommit() {
    const [caller, bob] = await world.users("alice", "bob");
    const convo = await Convo.create(caller, [bob]);
    const input = {
      convoId: convo.id, idempotencyKey: randomUUID(),
      externalCommit: base64(await externalCommit({ ...convo.where, identity: caller.did })),
    };
    const again = base64(await externalCommit({ ...convo.where, identity: caller.did }));
    return { caller, input, other: { ...input, externalCommit: again }, convo, advances: true };
  },
};

async function begin(name) {
  const made = await keyed[name]();
  const method = made.method ?? name;
  const answer = await made.caller.ok(method, made.input);
  if (made.advances) made.convo.epoch += 1;
  return { ...made, method, answer };
}

for (const name of Object.keys(keyed)) {
  test(`${name}: the same again is answered the same, in whatever order its keys come`, async () => {
    const { caller, method, input, answer } = await begin(name);
    assert.deepEqual(await caller.ok(method, input), answer);
    assert.deepEqual(await caller.ok(method, reordered(input)), answer);
    assert.deepEqual(await caller.ok(method, JSON.stringify(input, null, 4)), answer);
  });

  test(`${name}: the key with another payload is a conflict and does nothing`, async () => {
    const { caller, admin = caller, method, input, other, answer, convo } = await begin(name);
    const before = await admin.viewOf(convo.id);
    const body = await caller.refused(method, other, 409, "Conflict");
    assert.doesNotMatch(body.message, /EpochMismatch/);
    assert.deepEqual(await admin.viewOf(convo.id), before);
    assert.deepEqual(await caller.ok(method, input), answer);
  });

  test(`${name}: someone else's key is not seen`, async () => {
    const { method, input } = await begin(name);
    const stranger = await world.user("stranger");
    if (method === "createConvo") return stranger.refused(method, input, 409, "ConvoAlreadyExists");
    const { status, body } = await stranger.call(method, input);
    assert.equal(status, 403, JSON.stringify(body));
  });

  test(`${name}: the first answer outlives new epochs, a removal and a restart`, async () => {
    const { caller, admin, method, input, answer, convo, departs } = await begin(name);
    const actor = admin ?? caller;
    await convo.commitOnly(actor);
    assert.deepEqual(await caller.ok(method, input), answer, "after an epoch");
    if (!departs) {
      const bob = await world.user("zoe");
      await convo.add(actor, [bob]);
      await caller.ok("leaveConvo", { convoId: convo.id });
      assert.deepEqual(await caller.ok(method, input), answer, "after leaving");
    }
    await world.restart();
    assert.deepEqual(await caller.ok(method, input), answer, "after a restart");
    assert.deepEqual(await caller.ok(method, reordered(input)), answer, "after a restart, reordered");
  });
}

test("sendMessage: a msgId is answered as the first time, even with other bytes, and stored once", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const convo = await Convo.create(alice, [bob]);
  const { input, ...answer } = await convo.send(bob);
  assert.deepEqual(await bob.ok("sendMessage", reordered(input)), answer);
  assert.deepEqual(await bob.ok("sendMessage", convo.message({ msgId: input.msgId })), answer);
  await convo.commitOnly(alice);
  assert.deepEqual(await bob.ok("sendMessage", input), answer, "the epoch moved");
  await convo.remove(alice, bob);
  assert.deepEqual(await bob.ok("sendMessage", input), answer, "the sender was removed");
  await world.restart();
  assert.deepEqual(await bob.ok("sendMessage", input), answer, "the server was restarted");
  const rows = await alice.rows(convo.id);
  assert.deepEqual(rows.map(({ messageType }) => messageType), ["app", "commit", "commit"]);
  assert.equal(rows[0].ciphertext.$bytes, input.ciphertext.$bytes);
});

test("sendMessage: an idempotencyKey under another msgId stores nothing more", async () => {
  const alice = await world.user("alice");
  const convo = await Convo.create(alice);
  const { input, seq } = await convo.send(alice, { idempotencyKey: randomUUID() });
  const again = await alice.ok("sendMessage", convo.message({ idempotencyKey: input.idempotencyKey }));
  assert.equal(again.seq, seq);
  assert.equal((await alice.rows(convo.id)).length, 1);
});

test("sendMessage: the stored answer to an idempotencyKey names the msgId that is stored", async () => {
  const alice = await world.user("alice");
  const convo = await Convo.create(alice);
  const { input, ...answer } = await convo.send(alice, { idempotencyKey: randomUUID() });
  const again = await alice.ok("sendMessage", convo.message({ idempotencyKey: input.idempotencyKey }));
  assert.deepEqual(again, answer);
});

test("sendMessage: an idempotencyKey used in another conversation is no acknowledgement here", async () => {
  const alice = await world.user("alice");
  const [one, two] = [await Convo.create(alice), await Convo.create(alice)];
  const { input } = await one.send(alice, { idempotencyKey: randomUUID() });
  const elsewhere = two.message({ idempotencyKey: input.idempotencyKey });
  const { status, body } = await alice.call("sendMessage", elsewhere);
  const stored = (await alice.rows(two.id)).map(({ id }) => id);
  if (status === 200) assert.ok(body.messageId === input.msgId || stored.includes(body.messageId), "acknowledged, and nowhere");
  else assert.equal(`${status} ${body.error}`, "409 Conflict");
});

test("sendMessage: msgIds differ by case", async () => {
  const alice = await world.user("alice");
  const convo = await Convo.create(alice);
  const msgId = "abcdef00-0000-4000-8000-00000000000a";
  const lower = await convo.send(alice, { msgId });
  const upper = await convo.send(alice, { msgId: msgId.toUpperCase() });
  assert.deepEqual([lower.seq, upper.seq], [1, 2]);
});

test("the same msgId may be used in two conversations", async () => {
  const alice = await world.user("alice");
  const [one, two] = [await Convo.create(alice), await Convo.create(alice)];
  const msgId = randomUUID();
  assert.equal((await one.send(alice, { msgId })).seq, 1);
  assert.equal((await two.send(alice, { msgId })).seq, 1);
  assert.equal((await alice.rows(two.id)).length, 1);
});

test("one key serves two methods and two users without mixing them up", async () => {
  const [alice, bob, carol] = await world.users("alice", "bob", "carol");
  const idempotencyKey = randomUUID();
  const convo = await Convo.create(alice, [bob], { idempotencyKey });
  await convo.add(alice, [carol], { idempotencyKey });
  await convo.commitOnly(bob, { idempotencyKey });
  await convo.remove(alice, carol, { idempotencyKey });
  await alice.ok("sendMessage", convo.message({ idempotencyKey }));
  await bob.ok("sendMessage", convo.message({ idempotencyKey }));
  assert.equal((await alice.rows(convo.id)).length, 5);
});

test("a commit without a key, sent again, is recognised by its bytes", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const convo = await Convo.create(alice, [bob]);
  const { idempotencyKey, ...input } = convo.commit({ didList: [] });
  const answer = await alice.ok("addMembers", input);
  convo.epoch += 1;
  await convo.commitOnly(bob);
  assert.deepEqual(await alice.ok("addMembers", input), answer);
  await bob.refused("addMembers", input, 409, "EpochMismatch");
});

test("an idempotency key used in one conversation and then in another is a conflict", async () => {
  const alice = await world.user("alice");
  const [one, two] = [await Convo.create(alice), await Convo.create(alice)];
  const { input } = await one.commitOnly(alice);
  await alice.refused("addMembers", two.commit({ didList: [], idempotencyKey: input.idempotencyKey }), 409, "Conflict");
  await world.restart();
  await alice.refused("addMembers", two.commit({ didList: [], idempotencyKey: input.idempotencyKey }), 409, "Conflict");
  assert.equal(await alice.epochOf(two.id), 0);
});

test("the same request many times at once has one effect and one answer", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const convo = await Convo.create(alice);
  const input = convo.commit({ didList: [bob.did] });
  const answers = await Promise.all(Array.from({ length: 12 }, () => alice.ok("addMembers", input)));
  answers.forEach((answer) => assert.deepEqual(answer, { success: true, newEpoch: 1 }));
  const message = new Convo(convo.groupId, 1).message();
  const sent = await Promise.all(Array.from({ length: 12 }, () => alice.ok("sendMessage", message)));
  sent.forEach((answer) => assert.deepEqual(answer, sent[0]));
  assert.equal((await alice.rows(convo.id)).length, 2);
});

test("a refused request leaves no record: corrected, its key works", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const convo = await Convo.create(alice);
  const input = convo.commit({ didList: [bob.did] });
  await alice.refused("addMembers", { ...input, groupInfo: base64(randomBytes(99)) }, 400, "InvalidGroupInfo");
  await alice.refused("addMembers", { ...input, groupInfo: base64(await convo.groupInfo(0)) }, 400, "InvalidGroupInfo");
  assert.deepEqual(await alice.ok("addMembers", input), { success: true, newEpoch: 1 });
});

test("leaving twice without a key gets the first answer, until re-added", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const convo = await Convo.create(alice, [bob]);
  const first = await bob.ok("leaveConvo", { convoId: convo.id });
  await convo.commitOnly(alice);
  assert.deepEqual(await bob.ok("leaveConvo", { convoId: convo.id }), first);
  await convo.add(alice, [bob]);
  assert.equal(await bob.epochOf(convo.id), 2);
  assert.deepEqual(await bob.ok("leaveConvo", { convoId: convo.id }), { success: true, newEpoch: 2 });
});
