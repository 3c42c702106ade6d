// SPDX-License-Identifier: MIT
// Roles, policy, warnings, reports, invites, calls for help, and what streams tell of them.
import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { EventSocket } from "./lib/event_socket.mjs";
import { EventStream } from "./lib/event_stream.mjs";
import { keyPackage } from "./lib/handmade.mjs";
import { Convo, World, base64 } from "./lib/world.mjs";

let world;
const open = [];
before(async () => { world = await World.start(); });
after(async () => {
  await Promise.all(open.map((stream) => stream.close()));
  await world?.end();
});

async function group(...names) {
  const people = await world.users("alice", ...names);
  return [...people, await Convo.create(people[0], people.slice(1))];
}
async function follow(user, convo) {
  const socket = new EventSocket(user, convo?.id);
  open.push(socket);
  return socket.open();
}
async function listen(user, convo) {
  const stream = new EventStream(world.server, user.identity, convo?.id);
  open.push(stream);
  await stream.open();
  return stream;
}
const about = (convo, user) => ({ convoId: convo.id, targetDid: user.did });
const roleOf = async (viewer, convo, user) => {
  const { isAdmin, isModerator } = (await viewer.viewOf(convo.id)).members.find(({ did }) => did === user.did);
  return isAdmin ? "admin" : isModerator ? "moderator" : "member";
};
const report = (convo, user, extra) => ({ convoId: convo.id, reportedDid: user.did, category: "spam", encryptedContent: { $bytes: base64(randomBytes(64)) }, ...extra });
const future = () => new Date(Date.now() + 3_600_000).toISOString();

test("admins make admins and moderators, and one admin stays", async () => {
  const [alice, bob, carol, convo] = await group("bob", "carol");
  await bob.refused("promoteAdmin", about(convo, carol), 403, "NotAdmin");
  const { promotedAt } = await alice.ok("promoteAdmin", about(convo, bob));
  assert.ok(Math.abs(Date.parse(promotedAt) - Date.now()) < 600_000);
  await alice.refused("promoteAdmin", about(convo, bob), 409, "AlreadyAdmin");
  assert.equal(await roleOf(carol, convo, bob), "admin");
  await bob.ok("promoteModerator", about(convo, carol));
  assert.equal(await roleOf(alice, convo, carol), "moderator");
  await bob.refused("promoteModerator", about(convo, alice), 409, "IsAdmin");
  await alice.ok("demoteAdmin", about(convo, alice));
  await bob.refused("demoteAdmin", about(convo, bob), 409, "LastAdmin");
  await carol.ok("demoteModerator", about(convo, carol));
  assert.equal(await roleOf(bob, convo, carol), "member");
  await convo.remove(bob, alice);
});

test("roles survive a restart, and end with the membership", async () => {
  const [alice, bob, carol, convo] = await group("bob", "carol");
  await alice.ok("promoteModerator", about(convo, bob));
  await alice.ok("promoteAdmin", about(convo, carol));
  await alice.ok("updatePolicy", { convoId: convo.id, allowMemberRemove: true });
  await world.restart();
  assert.deepEqual([await roleOf(alice, convo, bob), await roleOf(alice, convo, carol)], ["moderator", "admin"]);
  await bob.refused("promoteAdmin", about(convo, bob), 403, "NotAdmin");
  await convo.remove(carol, bob);
  await convo.add(alice, [bob]);
  assert.equal(await roleOf(alice, convo, bob), "member");
});

test("a role given twice under one key is given once", async () => {
  const [alice, bob, convo] = await group("bob");
  const input = { ...about(convo, bob), idempotencyKey: randomUUID() };
  const first = await alice.ok("promoteAdmin", input);
  assert.deepEqual(await alice.ok("promoteAdmin", input), first);
});

test("the policy is shown to members, changed by admins, and holds", async () => {
  const [alice, bob, carol, convo] = await group("bob", "carol");
  const [dave, erin] = await world.users("dave", "erin");
  const { policy } = await bob.ok("getPolicy", { convoId: convo.id });
  assert.deepEqual(policy, { convoId: convo.id, allowInvites: true, adminOnlyInvites: true, allowMemberAdd: true, allowMemberRemove: false, requireAdminApproval: false,
    maxMembers: 1000, updatedAt: policy.updatedAt });
  await alice.refused("updatePolicy", { convoId: convo.id }, 400, "NoFieldsProvided");
  await alice.refused("updatePolicy", { convoId: convo.id, maxMembers: 2 }, 400, "InvalidMaxMembers");
  const { policy: closed } = await alice.ok("updatePolicy", { convoId: convo.id, allowMemberAdd: false, maxMembers: 4 });
  assert.deepEqual([closed.allowMemberAdd, closed.maxMembers, closed.updatedBy], [false, 4, alice.did]);
  await bob.refused("addMembers", convo.commit({ didList: [dave.did] }), 403, "NotAdmin");
  await convo.add(alice, [dave]);
  await alice.refused("addMembers", convo.commit({ didList: [erin.did] }), 400, "TooManyMembers");
  await alice.ok("updatePolicy", { convoId: convo.id, allowMemberRemove: true });
  await bob.refused("removeMember", convo.commit({ targetDid: alice.did }), 403, "NotAdmin");
  await convo.remove(bob, carol);
});

test("a warning is on record and tells nobody but members", async () => {
  const [alice, bob, convo] = await group("bob");
  const [stranger] = await world.users("stranger");
  const warning = { convoId: convo.id, memberDid: bob.did, reason: "rude" };
  const { warningId, deliveredAt } = await alice.ok("warnMember", warning);
  assert.ok(warningId && deliveredAt);
  await bob.refused("warnMember", { ...warning, memberDid: alice.did }, 403, "NotAdmin");
  await alice.refused("warnMember", { ...warning, memberDid: stranger.did }, 404, "TargetNotMember");
  await alice.refused("warnMember", { ...warning, memberDid: alice.did }, 400, "CannotWarnAdmin");
});

test("reports reach the admins as they were sent and are closed once", async () => {
  const [alice, bob, carol, convo] = await group("bob", "carol");
  const sent = report(convo, carol, { messageIds: ["01JDB4H5T6Q7W8E9R0T1Y2V3M2"] });
  const { reportId } = await bob.ok("reportMember", sent);
  await bob.refused("reportMember", report(convo, bob), 400, "CannotReportSelf");
  const [stranger] = await world.users("stranger");
  await bob.refused("reportMember", report(convo, stranger), 404, "TargetNotMember");
  await bob.refused("reportMember", report(convo, carol, { encryptedContent: { $bytes: base64(randomBytes(51_201)) } }), 400, "InvalidRequest");

  await bob.refused("getReports", { convoId: convo.id }, 403, "NotAdmin");
  const { reports: [shown, ...more] } = await alice.ok("getReports", { convoId: convo.id });
  assert.deepEqual(more, []);
  assert.deepEqual(shown, { id: reportId, reporterDid: bob.did, reportedDid: carol.did, category: "spam", encryptedContent: sent.encryptedContent, createdAt: shown.createdAt, status: "pending" });
  await alice.ok("promoteModerator", about(convo, bob));
  assert.equal((await bob.ok("getReports", { convoId: convo.id })).reports.length, 1, "a moderator looks");
  await bob.refused("resolveReport", { reportId, action: "dismissed" }, 403, "NotAdmin");
  await stranger.refused("resolveReport", { reportId, action: "dismissed" }, 404, "ReportNotFound");
  await alice.ok("resolveReport", { reportId, action: "dismissed", notes: "nothing there" });
  await alice.refused("resolveReport", { reportId, action: "no_action" }, 409, "AlreadyResolved");
  assert.deepEqual((await alice.ok("getReports", { convoId: convo.id, status: "pending" })).reports, []);
  const { reports: [closed] } = await alice.ok("getReports", { convoId: convo.id, status: "dismissed" });
  assert.deepEqual([closed.status, closed.resolvedBy, closed.id], ["dismissed", alice.did, reportId]);
});

test("invites are made as the policy says, listed, and ended once", async () => {
  const [alice, bob, convo] = await group("bob");
  const pskHash = randomBytes(32).toString("hex");
  await bob.refused("createInvite", { convoId: convo.id, pskHash }, 403, "Unauthorized");
  await alice.refused("createInvite", { convoId: convo.id, pskHash: "ab" }, 400, "InvalidPSKHash");
  await alice.refused("createInvite", { convoId: convo.id, pskHash, expiresAt: "2020-01-01T00:00:00Z" }, 400, "InvalidRequest");
  const { inviteId, invite } = await alice.ok("createInvite", { convoId: convo.id, pskHash: pskHash.toUpperCase(), targetDid: bob.did, expiresAt: future(), maxUses: 3 });
  assert.deepEqual([invite.pskHash, invite.useCount, invite.isRevoked, invite.maxUses, invite.inviteId], [pskHash, 0, false, 3, inviteId]);
  await alice.ok("updatePolicy", { convoId: convo.id, adminOnlyInvites: false });
  const { inviteId: bobs } = await bob.ok("createInvite", { convoId: convo.id, pskHash: randomBytes(32).toString("hex") });
  assert.deepEqual((await alice.ok("listInvites", { convoId: convo.id })).invites.map((one) => one.inviteId), [inviteId, bobs]);
  await bob.refused("revokeInvite", { inviteId }, 403, "Unauthorized");
  await bob.ok("revokeInvite", { inviteId: bobs });
  await alice.ok("revokeInvite", { inviteId });
  await alice.refused("revokeInvite", { inviteId }, 409, "AlreadyRevoked");
  assert.deepEqual((await alice.ok("listInvites", { convoId: convo.id })).invites, []);
  const { invites } = await alice.ok("listInvites", { convoId: convo.id, includeRevoked: true });
  assert.deepEqual(invites.map(({ isRevoked, revokedBy }) => [isRevoked, revokedBy]), [[true, alice.did], [true, bob.did]]);
  await alice.ok("updatePolicy", { convoId: convo.id, allowInvites: false });
  await alice.refused("createInvite", { convoId: convo.id, pskHash }, 403, "Unauthorized");
});

test("joins and departures are events, for who comes and who goes too", async () => {
  const [alice, bob, convo] = await group("bob");
  const [carol] = await world.users("carol");
  const [ofBob, ofCarol, sse] = [await follow(bob), await follow(carol), await listen(bob)];
  await convo.add(alice, [carol]);
  await convo.send(alice);
  await convo.remove(alice, carol);
  await convo.send(alice);
  await alice.ok("leaveConvo", { convoId: convo.id });
  await ofBob.until("the departure", () => ofBob.news.length === 3);
  const change = (user, action, actor, epoch) => ({ type: "membershipChangeEvent", convoId: convo.id, did: user.did, action, actor: actor.did, epoch });
  const [joined, removed, left] = [change(carol, "joined", alice, 1), change(carol, "removed", alice, 2), change(alice, "left", alice, 2)];
  assert.deepEqual(ofBob.news, [joined, removed, left]);
  assert.deepEqual(ofBob.events.map(({ type, message }) => message?.seq ?? type),
    [1, "membershipChangeEvent", 2, 3, "membershipChangeEvent", 4, "membershipChangeEvent"], "between the rows where they happened");
  await ofCarol.until("her end", () => ofCarol.news.length === 2);
  assert.deepEqual(ofCarol.news, [joined, removed]);
  assert.deepEqual(ofCarol.rows.map(({ seq }) => seq), [2, 3], "nothing before she came and nothing after she went");
  const kind = "membershipChanged";
  await sse.untilNews(3);
  assert.deepEqual(sse.news, [`${kind} ${carol.did}`, `${kind} ${carol.did}`, `${kind} ${alice.did}`], "old decoders know no other event");
});

test("from every cursor the same events follow, notices too, also over a restart", async () => {
  const [alice, bob, convo] = await group("bob");
  const [carol] = await world.users("carol");
  const socket = await follow(bob);
  for (let round = 0; round < 3; round += 1) {
    await convo.send(alice);
    await convo.add(alice, [carol]);
    await bob.ok("groupInfoRefresh", { convoId: convo.id });
    await convo.remove(alice, carol);
  }
  await socket.until("all", () => socket.events.length === 18);
  const seen = socket.events;
  await world.restart();
  for (const [index, { cursor }] of seen.entries()) {
    const again = new EventSocket(bob);
    again.cursor = cursor;
    open.push(again);
    await again.open();
    await again.until("the rest", () => again.events.length >= seen.length - index - 1);
    assert.deepEqual(again.events, seen.slice(index + 1));
    await again.close();
  }
});

test("a new conversation, a new device and calls for help are events", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const socket = await follow(bob);
  const convo = await Convo.create(alice, [bob]);
  await alice.ok("registerDevice", { deviceName: "tablet", keyPackages: [], signaturePublicKey: { $bytes: base64(randomBytes(32)) } });
  const { pendingAdditions: [addition] } = await bob.ok("getPendingDeviceAdditions");
  assert.deepEqual(await alice.ok("groupInfoRefresh", { convoId: convo.id }), { requested: true, activeMembers: 1 });
  await alice.ok("leaveConvo", { convoId: convo.id });
  assert.deepEqual(await alice.ok("readdition", { convoId: convo.id }), { requested: true, activeMembers: 1 });
  await socket.until("all of them", () => socket.news.length === 5);
  const [joined, device, refresh, left, readdition] = socket.news;
  assert.deepEqual([joined.type, joined.did, joined.action], ["membershipChangeEvent", bob.did, "joined"]);
  assert.deepEqual(device, { type: "newDeviceEvent", convoId: convo.id, userDid: alice.did, deviceId: addition.deviceId, deviceName: "tablet",
    deviceCredentialDid: addition.deviceCredentialDid, pendingAdditionId: addition.id });
  assert.deepEqual(refresh, { type: "groupInfoRefreshRequestedEvent", convoId: convo.id, requestedBy: alice.did, requestedAt: refresh.requestedAt });
  assert.equal(left.action, "left");
  assert.deepEqual(readdition, { type: "readditionRequestedEvent", convoId: convo.id, userDid: alice.did, requestedAt: readdition.requestedAt });
  await bob.refused("readdition", { convoId: convo.id }, 409, "NoActiveMembers");
});

test("who lost its state publishes a key package and is added again", async () => {
  const [alice, bob, convo] = await group("bob");
  const made = await keyPackage({ identity: bob.did });
  const socket = await follow(alice);
  await bob.refused("rejoin", { convoId: convo.id, keyPackage: "AAAA" }, 400, "InvalidKeyPackage");
  const asked = await bob.ok("rejoin", { convoId: convo.id, keyPackage: base64(made.bytes), reason: "lost" });
  assert.deepEqual([asked.pending, typeof asked.requestId], [true, "string"]);
  await socket.until("the request", () => socket.news.some(({ type }) => type === "readditionRequestedEvent"));
  const { keyPackages } = await alice.ok("getKeyPackages", { dids: [bob.did] });
  assert.deepEqual(keyPackages.map((one) => one.keyPackage), [base64(made.bytes)]);
});

test("ephemeral messages reach who listens now, take no number and leave nothing", async () => {
  const [alice, bob, convo] = await group("bob");
  const [stranger] = await world.users("stranger");
  await convo.commitOnly(alice);
  const [socket, sse] = [await follow(bob), await listen(bob, convo)];
  const typing = (msgId = randomUUID()) => ({ convoId: convo.id, msgId, ciphertext: { $bytes: base64(Buffer.alloc(512)) }, epoch: 0, paddedSize: 512, delivery: "ephemeral" });
  const input = typing();
  const answer = await alice.ok("sendMessage", input);
  assert.deepEqual([answer.messageId, answer.seq, answer.epoch], [input.msgId, 1, 1], "no number of its own");
  await stranger.refused("sendMessage", typing(), 403, "NotMember");
  await alice.refused("sendMessage", { ...typing(), ciphertext: { $bytes: base64(Buffer.alloc(65_537)) }, paddedSize: 65_537 }, 413, "MessageTooLarge");
  const { seq } = await convo.send(alice);
  assert.equal(seq, 2);
  await socket.untilRow(convo.id, 2);
  await sse.until(2);
  for (const stream of [socket, sse]) {
    const heard = stream.events.filter(({ type }) => type === "messageEvent").map(({ ephemeral, message }) => [ephemeral, message.id === input.msgId]);
    assert.deepEqual(heard, [[true, true], [undefined, false]]);
  }
  assert.deepEqual((await bob.rows(convo.id)).map((row) => row.seq), [1, 2]);
  assert.equal(await bob.unread(convo.id), 0, "read by the listing");
});
