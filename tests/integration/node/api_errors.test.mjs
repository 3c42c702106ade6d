// SPDX-License-Identifier: MIT
// Every error that a lexicon declares and this server can answer, and that a refusal changes nothing.
import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { applicationFrame, bareMessage, externalCommit, privateCommit, publicCommit, welcomeFor } from "./lib/handmade.mjs";
import { Convo, World, base64, suite1 } from "./lib/world.mjs";

let world;
before(async () => { world = await World.start(); });
after(() => world?.end());

const dids = (count) => Array.from({ length: count }, (_, index) =>
  `did:plc:${index.toString(32).padStart(24, "0").replaceAll(/[0189]/g, (digit) => "wxyz"["0189".indexOf(digit)])}`);

/** What the members can see of a conversation; equal before and after a refusal. */
async function stateOf(user, convoId) {
  return {
    rows: (await user.call("getCommits", { convoId, fromEpoch: 0 })).body,
    view: await user.viewOf(convoId),
    info: (await user.call("getGroupInfo", { convoId })).body.groupInfo,
  };
}

/** A conversation of alice (admin) and bob, at epoch 2, with a GroupInfo. */
async function trio() {
  const [alice, bob, carol] = await world.users("alice", "bob", "carol");
  const convo = await Convo.create(alice, [bob]);
  await convo.commitOnly(alice);
  await convo.commitOnly(bob, { groupInfo: base64(await convo.groupInfo(convo.epoch + 1)) });
  return { alice, bob, carol, convo };
}

function assertNamesEpoch(body, server, client) {
  assert.match(body.message, new RegExp(`^EpochMismatch: serverEpoch=${server} clientEpoch=${client}$`));
  assert.equal(body.serverEpoch, server);
  assert.equal(body.clientEpoch, client);
}

test("createConvo refuses what it cannot be", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const made = await bob.publish();
  const groupId = randomBytes(16).toString("hex");
  const good = { groupId, cipherSuite: suite1, idempotencyKey: randomUUID() };
  const convo = new Convo(Buffer.from(groupId, "hex"));
  const refused = (extra, status, name) => alice.refused("createConvo", { ...good, ...extra }, status, name);

  await refused({ cipherSuite: "MLS_0_NONE" }, 400, "InvalidCipherSuite");
  await refused({ cipherSuite: undefined }, 400, "InvalidRequest");
  await refused({ groupId: undefined }, 400, "InvalidRequest");
  await refused({ groupId: "" }, 400, "InvalidRequest");
  await refused({ groupId: "no hex at all" }, 400, "InvalidRequest");
  await refused({ groupId: "abc" }, 400, "InvalidRequest");
  await refused({ groupId: "ab".repeat(65) }, 400, "InvalidRequest");
  await refused({ initialMembers: ["alice.test"] }, 400, "InvalidDid");
  await refused({ initialMembers: ["did:plc:TOO-SHORT"] }, 400, "InvalidDid");
  await refused({ initialMembers: dids(1000) }, 400, "TooManyMembers");
  await refused({ initialMembers: [7] }, 400, "InvalidRequest");
  await refused({ currentEpoch: -1 }, 400, "InvalidRequest");
  await refused({ currentEpoch: 1.5 }, 400, "InvalidRequest");
  await refused({ currentEpoch: 2 ** 48 + 1 }, 400, "InvalidRequest");
  await refused({ metadata: { name: "x".repeat(129) } }, 400, "InvalidRequest");
  await refused({ metadata: "name" }, 400, "InvalidRequest");
  await refused({ idempotencyKey: "x".repeat(129) }, 400, "InvalidRequest");
  await refused({ groupInfo: base64(randomBytes(300)) }, 400, "InvalidGroupInfo");
  await refused({ groupInfo: base64(await convo.groupInfo(1)) }, 400, "InvalidGroupInfo");
  await refused({ groupInfo: base64(await new Convo(randomBytes(16)).groupInfo()) }, 400, "InvalidGroupInfo");
  await refused({ welcomeMessage: base64(randomBytes(300)) }, 400, "InvalidRequest");
  await refused({ welcomeMessage: base64(welcomeFor([made.ref])), initialMembers: [bob.did] }, 409, "KeyPackageNotFound");
  await refused({ keyPackageHashes: [{ did: bob.did, hash: "ab".repeat(32) }], initialMembers: [bob.did] }, 409, "KeyPackageNotFound");
  await refused({ keyPackageHashes: [{ did: bob.did, hash: "not hex" }] }, 400, "InvalidRequest");
  await refused({ groupInfo: base64(randomBytes(7 * 1024 * 1024 + 1)) }, 413, "MessageTooLarge");

  assert.deepEqual(await alice.ok("getConvos"), { conversations: [] });
  await alice.ok("createConvo", good);
  await bob.refused("createConvo", { ...good, idempotencyKey: randomUUID() }, 409, "ConvoAlreadyExists");
  await alice.refused("createConvo", { ...good, idempotencyKey: randomUUID() }, 409, "ConvoAlreadyExists");
});

test("a conversation holds 1000 members and not one more", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const convo = await Convo.create(alice, [], { initialMembers: dids(999) });
  assert.equal(convo.view.members.length, 1000);
  await alice.refused("addMembers", convo.commit({ didList: [bob.did] }), 400, "TooManyMembers");
  await alice.ok("removeMember", { convoId: convo.id, targetDid: dids(1)[0] });
  await convo.add(alice, [bob]);
});

const stale = { private: (convo) => privateCommit({ ...convo.where, epoch: 1 }), public: (convo) => publicCommit({ ...convo.where, epoch: 1 }) };

test("methods with a commit refuse the wrong ones in the same way, and nothing changes", async (t) => {
  const { alice, bob, carol, convo } = await trio();
  const methods = {
    addMembers: { didList: [carol.did] },
    removeMember: { targetDid: bob.did },
    leaveConvo: { targetDid: bob.did },
  };
  const before = await stateOf(alice, convo.id);
  for (const [method, fields] of Object.entries(methods)) {
    await t.test(method, async () => {
      const refused = (extra, status, name) => alice.refused(method, convo.commit({ ...fields, ...extra }), status, name);
      for (const make of Object.values(stale)) {
        assertNamesEpoch(await refused({ commit: base64(make(convo)), ...(method === "addMembers" && make === stale.public ? { didList: [] } : {}) }, 409, "EpochMismatch"), 2, 1);
      }
      assertNamesEpoch(await refused({ commit: base64(privateCommit({ ...convo.where, epoch: 9 })) }, 409, "EpochMismatch"), 2, 9);
      await refused({ commit: base64(privateCommit({ groupId: randomBytes(16), epoch: 2 })) }, 400, "InvalidCommit");
      await refused({ commit: base64(bareMessage(convo.where)) }, 400, "InvalidCommit");
      await refused({ commit: base64(randomBytes(400)) }, 400, "InvalidCommit");
      await refused({ commit: base64(Buffer.concat([privateCommit(convo.where), Buffer.of(0)])) }, 400, "InvalidCommit");
      await refused({ commit: "not base64!" }, 400, "InvalidRequest");
      await refused({ commit: base64(await externalCommit({ ...convo.where, identity: alice.did })) }, 400, "InvalidCommit");
      await refused({ groupInfo: base64(await convo.groupInfo(2)) }, 400, "InvalidGroupInfo");
      await refused({ groupInfo: base64(randomBytes(400)) }, 400, "InvalidGroupInfo");
      await refused({ commit: base64(privateCommit({ ...convo.where, bytes: 7 * 1024 * 1024 })) }, 413, "MessageTooLarge");
      await refused({ idempotencyKey: "two words" }, 400, "InvalidRequest");
    });
  }
  assert.deepEqual(await stateOf(alice, convo.id), before);
});

test("addMembers refuses lists it cannot take", async () => {
  const { alice, bob, carol, convo } = await trio();
  const before = await stateOf(alice, convo.id);
  const refused = (extra, status, name) => alice.refused("addMembers", convo.commit(extra), status, name);
  await refused({ didList: [bob.did] }, 409, "AlreadyMember");
  await refused({ didList: [alice.did] }, 409, "AlreadyMember");
  await refused({ didList: [], commit: undefined }, 400, "InvalidRequest");
  await refused({ didList: ["did:nonsense:x"] }, 400, "InvalidDid");
  await refused({ didList: ["carol.test"] }, 400, "InvalidDid");
  await refused({ didList: dids(51) }, 400, "TooManyDids");
  await refused({ didList: carol.did }, 400, "InvalidRequest");
  await refused({ didList: [carol.did], keyPackageHashes: [{ did: carol.did, hash: "cd".repeat(32) }] }, 409, "KeyPackageNotFound");
  const made = await carol.publish();
  await refused({ didList: [carol.did], welcomeMessage: base64(welcomeFor([made.ref])) }, 409, "KeyPackageNotFound");
  await alice.ok("getKeyPackages", { dids: [carol.did] });
  await refused({ didList: [], welcomeMessage: base64(welcomeFor([made.ref])) }, 400, "InvalidRequest");
  await refused({ didList: [carol.did], welcomeMessage: base64(randomBytes(200)) }, 400, "InvalidRequest");
  assert.deepEqual(await stateOf(alice, convo.id), before);
});

test("removeMember and leaveConvo refuse what the caller may not do", async () => {
  const { alice, bob, carol, convo } = await trio();
  const before = await stateOf(alice, convo.id);
  const input = { convoId: convo.id };
  await bob.refused("removeMember", { ...input, targetDid: alice.did }, 403, "NotAdmin");
  await alice.refused("removeMember", { ...input, targetDid: alice.did }, 400, "CannotRemoveSelf");
  await alice.refused("removeMember", { ...input, targetDid: carol.did }, 403, "NotMember");
  await alice.refused("removeMember", { ...input }, 400, "InvalidRequest");
  await alice.refused("removeMember", { ...input, targetDid: "bob" }, 400, "InvalidDid");
  await alice.refused("removeMember", { ...input, targetDids: dids(51) }, 400, "TooManyDids");
  await bob.refused("leaveConvo", { ...input, targetDid: alice.did }, 403, "NotAdmin");
  await alice.refused("leaveConvo", { ...input, targetDid: carol.did }, 403, "NotMember");
  await bob.refused("leaveConvo", { ...input, targetDid: "nobody" }, 400, "InvalidDid");
  assert.deepEqual(await stateOf(alice, convo.id), before);
});

test("processExternalCommit takes the caller's own, well-formed and current, and no other", async () => {
  const { alice, bob, carol, convo } = await trio();
  const before = await stateOf(alice, convo.id);
  const of = async (user, extra) => base64(await externalCommit({ ...convo.where, identity: user.did, ...extra }));
  const refused = (user, extra, status, name) =>
    user.refused("processExternalCommit", { convoId: convo.id, idempotencyKey: randomUUID(), ...extra }, status, name);

  await refused(carol, { externalCommit: await of(carol) }, 403, "Unauthorized");
  await refused(bob, { externalCommit: await of(alice) }, 403, "Unauthorized");
  await refused(bob, { externalCommit: base64(publicCommit(convo.where)) }, 400, "InvalidCommit");
  await refused(bob, { externalCommit: base64(privateCommit(convo.where)) }, 400, "InvalidCommit");
  await refused(bob, { externalCommit: base64(randomBytes(300)) }, 400, "InvalidCommit");
  await refused(bob, {}, 400, "InvalidCommit");
  await refused(bob, { externalCommit: await of(bob, { groupId: randomBytes(16) }) }, 400, "InvalidCommit");
  await refused(bob, { externalCommit: await of(bob), groupInfo: base64(await convo.groupInfo(2)) }, 400, "InvalidGroupInfo");
  await refused(bob, { externalCommit: base64(randomBytes(7 * 1024 * 1024 + 1)) }, 413, "MessageTooLarge");
  assertNamesEpoch(await refused(bob, { externalCommit: await of(bob, { epoch: 1 }) }, 409, "EpochMismatch"), 2, 1);
  assert.deepEqual(await stateOf(alice, convo.id), before);
});

test("sendMessage refuses what it cannot order", async () => {
  const { alice, carol, convo } = await trio();
  const before = await alice.rows(convo.id);
  const refused = (extra, status, name) => alice.refused("sendMessage", convo.message(extra), status, name);
  const holding = (bytes) => ({ ciphertext: { $bytes: base64(bytes) }, paddedSize: bytes.length });

  const old = { ...holding(applicationFrame({ ...convo.where, epoch: 1 })), epoch: 1 };
  assertNamesEpoch(await refused(old, 409, "Conflict"), 2, 1);
  assertNamesEpoch(await refused({ ...holding(applicationFrame({ ...convo.where, epoch: 3 })), epoch: 3 }, 409, "Conflict"), 2, 3);
  await refused({ epoch: 1 }, 400, "InvalidRequest");
  await refused({ epoch: -1 }, 400, "InvalidRequest");
  await refused({ epoch: "2" }, 400, "InvalidRequest");
  await refused({ epoch: undefined }, 400, "InvalidRequest");
  for (const msgId of ["", "short", "x".repeat(27), `${randomUUID()}0`, "not-a-ulid-but-26-long-abc", " ".repeat(26), undefined, 5]) {
    await refused({ msgId }, 400, "InvalidRequest");
  }
  await refused({ paddedSize: 513 }, 400, "InvalidRequest");
  await refused(holding(applicationFrame({ groupId: randomBytes(16), epoch: 2 })), 400, "InvalidRequest");
  await refused(holding(privateCommit(convo.where)), 400, "InvalidRequest");
  await refused(holding(publicCommit(convo.where)), 400, "InvalidRequest");
  await refused(holding(randomBytes(512)), 400, "InvalidRequest");
  await refused(holding(Buffer.alloc(512)), 400, "InvalidRequest");
  await refused({ ciphertext: { $bytes: "" }, paddedSize: 0 }, 400, "InvalidRequest");
  for (const ciphertext of ["a", "&&&&", { $bytes: 5 }, {}, [], null, 7]) await refused({ ciphertext }, 400, "InvalidRequest");
  const dirty = applicationFrame(convo.where);
  dirty[dirty.length - 1] = 1;  // the padding must be zeros
  await refused(holding(dirty), 400, "InvalidRequest");
  await refused({ delivery: "carrier-pigeon" }, 400, "InvalidRequest");
  await carol.refused("sendMessage", convo.message(), 403, "NotMember");
  await convo.send(alice);
  assert.deepEqual((await alice.rows(convo.id)).slice(0, -1), before);
});

test("a msgId of someone else in the same conversation is a conflict that shows nothing", async () => {
  const { alice, bob, convo } = await trio();
  const { input, messageId } = await convo.send(alice);
  const body = await bob.refused("sendMessage", convo.message({ msgId: input.msgId }), 409, "Conflict");
  assert.deepEqual(Object.keys(body).sort(), ["error", "message"]);
  assert.doesNotMatch(body.message, /EpochMismatch/);
  const rows = await bob.rows(convo.id);
  assert.equal(rows.filter(({ id }) => id === messageId).length, 1);
});

test("queries refuse parameters they cannot read", async () => {
  const { alice, convo } = await trio();
  const convoId = convo.id;
  for (const method of ["getMessages", "getCommits", "getEpoch", "getWelcome", "getGroupInfo"]) {
    await alice.refused(method, {}, 400, "InvalidRequest");
    await alice.refused(method, { convoId: "x".repeat(129) }, 400, "InvalidRequest");
  }
  for (const limit of ["0", "101", "-1", "ten", "", "1.5", "99999999999999999999"]) {
    await alice.refused("getMessages", { convoId, limit }, 400, "InvalidRequest");
    await alice.refused("getConvos", { limit }, 400, "InvalidRequest");
  }
  for (const sinceSeq of ["-1", "x", "1e3", "18446744073709551616"]) {
    await alice.refused("getMessages", { convoId, sinceSeq }, 400, "InvalidRequest");
  }
  await alice.refused("getCommits", { convoId }, 400, "InvalidRequest");
  await alice.refused("getCommits", { convoId, fromEpoch: -1 }, 400, "InvalidRequest");
  await alice.refused("getConvos", { cursor: "!!" }, 400, "InvalidCursor");
  for (const cursor of ["", "x", "-1", randomUUID(), "18446744073709551616"]) {
    await alice.refused("updateCursor", { convoId, cursor }, 400, "InvalidCursor");
  }
  await alice.refused("updateCursor", { convoId }, 400, "InvalidRequest");
  await alice.refused("updateCursor", { convoId, cursor: 1 }, 400, "InvalidRequest");
  await alice.refused("confirmWelcome", { convoId }, 400, "InvalidRequest");
  await alice.refused("confirmWelcome", { convoId, success: "yes" }, 400, "InvalidRequest");
});

test("getCommits names a range that goes backwards as the lexicon does", async () => {
  const { alice, convo } = await trio();
  await alice.refused("getCommits", { convoId: convo.id, fromEpoch: 2, toEpoch: 1 }, 400, "InvalidEpochRange");
});
