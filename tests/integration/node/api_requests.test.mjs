// SPDX-License-Identifier: MIT
// Chat requests: what somebody sends to a user before there is a conversation.
import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { Convo, World, base64, suite1 } from "./lib/world.mjs";

let world;
before(async () => { world = await World.start(); });
after(() => world?.end());

const held = (size = 512, extra = {}) => ({ ciphertext: { $bytes: base64(randomBytes(size)) }, paddedSize: size, ...extra });
async function pair() {
  const [alice, bob] = await world.users("alice", "bob");
  await bob.ok("optIn", {});
  return { alice, bob };
}
const inbox = async (user, extra) => (await user.ok("listChatRequests", extra)).requests;
const count = async (user) => (await user.ok("getRequestCount")).pendingCount;

test("a request is listed, counted, accepted once, and releases its messages", async () => {
  const { alice, bob } = await pair();
  const heldMessages = [held(512, { ephPubKey: { $bytes: base64(randomBytes(32)) } }), held(1024)];
  const input = { recipientDid: bob.did, previewText: "hello, 🐦", heldMessages };
  const sent = await alice.ok("sendChatRequest", input);
  assert.equal(sent.status, "pending");
  assert.equal(Date.parse(sent.expiresAt) - Date.parse(sent.createdAt), 7 * 86_400_000);
  assert.deepEqual(await alice.ok("sendChatRequest", input), sent, "a retry is no second request");
  await alice.refused("sendChatRequest", { ...input, previewText: "another" }, 409, "DuplicateRequest");

  const [listed, ...more] = await inbox(bob);
  assert.deepEqual(more, []);
  assert.deepEqual(listed, { id: sent.requestId, senderDid: alice.did, status: "pending", createdAt: sent.createdAt, expiresAt: sent.expiresAt,
    previewText: "hello, 🐦", messageCount: 2, isGroupInvite: false });
  const badge = await bob.ok("getRequestCount");
  assert.deepEqual(badge, { pendingCount: 1, count: 1, lastRequestAt: sent.createdAt });
  assert.deepEqual(await inbox(alice), []);
  assert.deepEqual(await alice.ok("getRequestCount"), { pendingCount: 0, count: 0 });

  await alice.refused("acceptChatRequest", { requestId: sent.requestId }, 404, "RequestNotFound");
  const accepted = await bob.ok("acceptChatRequest", { requestId: sent.requestId });
  assert.deepEqual(accepted.heldMessages.map(({ ciphertext, paddedSize, sequence }) => [ciphertext, paddedSize, sequence]),
    heldMessages.map(({ ciphertext, paddedSize }, index) => [ciphertext, paddedSize, index + 1]));
  assert.deepEqual(accepted.heldMessages[0].ephPubKey, heldMessages[0].ephPubKey);
  assert.deepEqual(await bob.ok("acceptChatRequest", { requestId: sent.requestId }), accepted, "a retry");
  await bob.refused("declineChatRequest", { requestId: sent.requestId }, 409, "AlreadyProcessed");
  assert.equal(await count(bob), 0);
  assert.deepEqual((await inbox(bob, { status: "accepted" })).map(({ id }) => id), [sent.requestId]);

  const view = await bob.ok("createConvo", { groupId: accepted.convoId, cipherSuite: suite1, initialMembers: [alice.did], idempotencyKey: randomUUID() });
  assert.equal(view.id, accepted.convoId);
  assert.equal((await alice.viewOf(accepted.convoId)).id, accepted.convoId);
});

test("a group invite keeps the group id it names", async () => {
  const { alice, bob } = await pair();
  const convo = await Convo.create(alice);
  const sent = await alice.ok("sendChatRequest", { recipientDid: bob.did, isGroupInvite: true, groupId: convo.id });
  assert.equal(sent.convoId, convo.id);
  assert.deepEqual((await inbox(bob)).map(({ isGroupInvite, groupId }) => [isGroupInvite, groupId]), [[true, convo.id]]);
  assert.equal((await bob.ok("acceptChatRequest", { requestId: sent.requestId })).convoId, convo.id);
});

test("wrong requests are refused with their names", async () => {
  const { alice, bob } = await pair();
  const nobody = await world.user("nobody");
  const refused = (extra, status, name) => alice.refused("sendChatRequest", { recipientDid: bob.did, ...extra }, status, name);
  await refused({ recipientDid: alice.did }, 400, "SelfRequest");
  await refused({ recipientDid: nobody.did }, 404, "RecipientNotFound");
  await refused({ recipientDid: "bob" }, 400, "InvalidDid");
  await refused({ previewText: "x".repeat(201) }, 400, "InvalidRequest");
  await refused({ heldMessages: Array.from({ length: 6 }, () => held()) }, 400, "BatchTooLarge");
  await refused({ heldMessages: [held(511)] }, 400, "InvalidRequest");
  await refused({ heldMessages: [{ ...held(), paddedSize: 513 }] }, 400, "InvalidRequest");
  await refused({ heldMessages: [held(512, { ephPubKey: { $bytes: base64(randomBytes(257)) } })] }, 400, "InvalidRequest");
  await bob.refused("acceptChatRequest", { requestId: randomUUID(), welcomeData: { $bytes: "AAAA" } }, 400, "InvalidRequest");
  await bob.refused("acceptChatRequest", { requestId: randomUUID() }, 404, "RequestNotFound");
  await bob.refused("declineChatRequest", { requestId: randomUUID() }, 404, "RequestNotFound");
  assert.equal(await count(bob), 0);
});

test("a declined sender may ask again; a blocked one may not", async () => {
  const { alice, bob } = await pair();
  const first = await alice.ok("sendChatRequest", { recipientDid: bob.did });
  for (let times = 0; times < 2; times += 1) assert.deepEqual(await bob.ok("declineChatRequest", { requestId: first.requestId, reportReason: "spam", reportDetails: "again" }), { success: true });
  await bob.refused("acceptChatRequest", { requestId: first.requestId }, 409, "AlreadyProcessed");
  const second = await alice.ok("sendChatRequest", { recipientDid: bob.did });
  assert.notEqual(second.requestId, first.requestId);

  assert.deepEqual(await bob.ok("blockChatSender", { senderDid: alice.did, requestId: second.requestId, reason: "harassment" }), { success: true, blockedCount: 1 });
  assert.deepEqual(await bob.ok("blockChatSender", { senderDid: alice.did }), { success: true, blockedCount: 0 });
  await alice.refused("sendChatRequest", { recipientDid: bob.did }, 403, "BlockedByRecipient");
  assert.equal(await count(bob), 0);
  assert.deepEqual((await inbox(bob, { status: "blocked" })).map(({ id }) => id), [second.requestId]);
  assert.deepEqual((await inbox(bob, { status: "declined" })).map(({ id }) => id), [first.requestId]);
  await bob.refused("blockChatSender", { senderDid: bob.did }, 400, "SelfRequest");
});

test("the inbox comes in pages, the newest first", async () => {
  const { bob } = await pair();
  const ids = [];
  for (let at = 0; at < 5; at += 1) ids.push((await (await world.user("sender")).ok("sendChatRequest", { recipientDid: bob.did })).requestId);
  const seen = [];
  for (let cursor; ;) {
    const page = await bob.ok("listChatRequests", { limit: 2, ...(cursor ? { cursor } : {}) });
    assert.ok(page.requests.length <= 2);
    seen.push(...page.requests.map(({ id }) => id));
    ({ cursor } = page);
    if (cursor === undefined) break;
  }
  assert.deepEqual([...seen].sort(), [...ids].sort());
  assert.deepEqual(seen, [...seen].sort().reverse());
  await bob.refused("listChatRequests", { status: "gone" }, 400, "InvalidRequest");
});

test("settings are the default until chosen, and decide when a request is over", async () => {
  const { alice, bob } = await pair();
  assert.deepEqual(await bob.ok("getChatRequestSettings"), { allowFollowersBypass: true, allowFollowingBypass: false, autoExpireDays: 7 });
  assert.deepEqual(await bob.ok("updateChatRequestSettings", { autoExpireDays: 1 }), { allowFollowersBypass: true, allowFollowingBypass: false, autoExpireDays: 1 });
  assert.deepEqual(await bob.ok("updateChatRequestSettings", { allowFollowersBypass: false }), { allowFollowersBypass: false, allowFollowingBypass: false, autoExpireDays: 1 });
  for (const autoExpireDays of [0, 31, -1]) await bob.refused("updateChatRequestSettings", { autoExpireDays }, 400, "InvalidRequest");
  const { createdAt, expiresAt } = await alice.ok("sendChatRequest", { recipientDid: bob.did });
  assert.equal(Date.parse(expiresAt) - Date.parse(createdAt), 86_400_000);
  assert.deepEqual(await inbox(bob, { status: "expired" }), []);
});

test("fifty requests a day and no more", async () => {
  const alice = await world.user("alice");
  for (let at = 0; at < 50; at += 1) {
    const other = await world.user("other");
    await other.ok("optIn", {});
    await alice.ok("sendChatRequest", { recipientDid: other.did });
  }
  const { bob } = await pair();
  await alice.refused("sendChatRequest", { recipientDid: bob.did }, 429, "RateLimited");
});
