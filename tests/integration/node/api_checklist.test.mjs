// SPDX-License-Identifier: MIT
// The traps that clients of this interface fell into before, one test each, under the numbers of the list
// they come from. Most are tested in depth elsewhere; here each stands by itself.
import assert from "node:assert/strict";
import { createHash, randomBytes, randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { createServiceJwt } from "@atproto/xrpc-server";
import { serviceDid } from "./lib/directory.mjs";
import { EventSocket } from "./lib/event_socket.mjs";
import { EventStream } from "./lib/event_stream.mjs";
import { applicationFrame, keyPackage, newSigner, welcomeFor } from "./lib/handmade.mjs";
import { Convo, World, base64, bytesOf, prefix, suite1 } from "./lib/world.mjs";

const megabyte = 1024 * 1024;
const answerMsMax = 10_000;  // the PDS proxy's, not ours
let world;
const open = [];
before(async () => { world = await World.start(); });
after(async () => {
  await Promise.all(open.map((stream) => stream.close()));
  await world?.end();
});

async function pair() {
  const [alice, bob] = await world.users("alice", "bob");
  return { alice, bob, convo: await Convo.create(alice, [bob]) };
}
const hashOf = (bytes) => createHash("sha256").update(bytes).digest("hex");
const mintedFor = (user, lxm, claims = {}) =>
  createServiceJwt({ iss: user.did, aud: serviceDid, lxm: prefix + lxm, keypair: user.identity.keypair ?? user.owner.keypair, ...claims });
async function rawGet(method, query, token, headers = {}) {
  const response = await fetch(`${world.server.url}/xrpc/${prefix}${method}?${new URLSearchParams(query)}`,
    { headers: { ...(token ? { authorization: `Bearer ${token}` } : {}), ...headers } });
  return { status: response.status, body: await response.json() };
}
const registration = async (user, extra = {}) => {
  const signer = await newSigner();
  const made = await keyPackage({ identity: user.did, signer });
  return { deviceName: "phone", deviceUUID: randomUUID(), signaturePublicKey: { $bytes: base64(signer.publicKey) },
    keyPackages: [{ keyPackage: base64(made.bytes), cipherSuite: suite1, expires: new Date(Date.now() + 20 * 86_400_000).toISOString() }], ...extra };
};

test("checklist 1: members are bare DIDs, the caller is in all of its conversations, and no list is partial", async () => {
  const { alice, bob, convo } = await pair();
  await bob.on("phone").ok("registerDevice", await registration(bob));
  for (let i = 0; i < 3; i += 1) await Convo.create(alice, [bob]);
  const { conversations } = await bob.ok("getConvos");
  assert.equal(conversations.length, 4);
  for (const { members } of conversations) {
    assert.deepEqual(members.map(({ did }) => did).sort(), [alice.did, bob.did].sort());
  }
  assert.ok(conversations.some(({ id }) => id === convo.id));
});

test("checklist 2: the last page has no cursor at all", async () => {
  const { bob } = await pair();
  for (const method of ["getConvos", "listChatRequests", "getKeyPackageHistory"]) {
    assert.ok(!("cursor" in await bob.ok(method)), method);
  }
});

test("checklist 3: every success says newEpoch, a replay too", async () => {
  const { alice, bob, convo } = await pair();
  const [carol] = await world.users("carol");
  const addition = convo.commit({ didList: [carol.did] });
  const first = await alice.ok("addMembers", addition);
  assert.equal(first.newEpoch, 1);
  assert.deepEqual(await alice.ok("addMembers", addition), first);
  convo.epoch = 1;
  const leaving = convo.commit();
  const left = await bob.ok("leaveConvo", leaving);
  assert.equal(left.newEpoch, 2);
  assert.deepEqual(await bob.ok("leaveConvo", leaving), left);
});

test("checklist 4: a conversation made with a Welcome begins at epoch 1", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const made = await bob.publish();
  await alice.ok("getKeyPackages", { dids: [bob.did] });
  const convo = await Convo.create(alice, [bob], { welcomeMessage: base64(welcomeFor([made.ref])) });
  assert.equal(convo.view.epoch, 1);
  assert.equal(await bob.epochOf(convo.id), 1);
});

test("checklist 5: a commit row carries the epoch it leads to, its own bytes and its type, in lists and on the socket", async () => {
  const { alice, bob, convo } = await pair();
  const socket = new EventSocket(bob, convo.id);
  open.push(socket);
  await socket.open();
  const { input } = await convo.commitOnly(alice);
  const [row] = await bob.rows(convo.id);
  assert.deepEqual([row.messageType, row.epoch, row.seq], ["commit", 1, 1]);
  assert.equal(base64(bytesOf(row.ciphertext)), input.commit, "not padded");
  await socket.untilRow(convo.id, 1);
  const [event] = socket.rows;
  assert.deepEqual([event.messageType, event.epoch, base64(event.ciphertext)], ["commit", 1, input.commit]);
});

test("checklist 6: a message id of 36 characters comes back as it was sent, in either case", async () => {
  const { alice, bob, convo } = await pair();
  for (const msgId of [randomUUID(), randomUUID().toUpperCase()]) {
    const { messageId } = await convo.send(alice, { msgId });
    assert.equal(messageId, msgId);
    assert.equal((await bob.rows(convo.id)).at(-1).id, msgId);
  }
});

test("checklist 7: ephemeral messages take epoch 0 and no bytes, have no number and are not kept", async () => {
  const { alice, bob, convo } = await pair();
  const stream = new EventStream(world.server, bob.identity, convo.id);
  open.push(stream);
  await stream.open();
  for (const bytes of [Buffer.alloc(0), randomBytes(40)]) {
    await alice.ok("sendMessage", convo.message({ delivery: "ephemeral", epoch: 0, ciphertext: { $bytes: base64(bytes) }, paddedSize: bytes.length }));
  }
  const { seq } = await convo.send(alice);
  assert.equal(seq, 1, "nothing was in the way");
  await stream.until(1);
  assert.equal(stream.events.filter(({ ephemeral }) => ephemeral).length, 2);
  assert.equal((await bob.rows(convo.id)).length, 1);
});

test("checklist 8: a stale epoch is 409 with a message that names both epochs", async () => {
  const { alice, bob, convo } = await pair();
  const stale = new Convo(convo.groupId, 0);
  await convo.commitOnly(alice);
  for (const [method, input] of [["addMembers", stale.commit({ didList: [] })], ["sendMessage", stale.message()]]) {
    const { status, body } = await bob.call(method, input);
    assert.equal(status, 409, method);
    assert.match(body.message, /serverEpoch=1 clientEpoch=0/);
    assert.ok(body.error);
  }
});

test("checklist 9: refusals have names, and nothing a signed-in client sends is answered with 401 or 500", async () => {
  const { alice } = await pair();
  const bad = [["getConvos", { limit: "x" }], ["getMessages", { convoId: "nope" }], ["getWelcome", { convoId: "" }], ["sendMessage", {}], ["createConvo", { groupId: "zz" }],
    ["addMembers", { convoId: "00", commit: "AAAA" }], ["registerDevice", {}], ["getKeyPackages", { dids: "nobody" }], ["updateCursor", { convoId: "00", cursor: "" }]];
  for (const [method, input] of bad) {
    const { status, body } = await alice.call(method, input);
    assert.ok(status >= 400 && status < 500 && status !== 401, `${method}: ${status}`);
    assert.ok(body.error && body.message, method);
  }
});

test("checklist 10: bytes go out as $bytes where the lexicon says bytes and as text where it says so, padded, on one line", async () => {
  const { alice, bob, convo } = await pair();
  const made = await bob.publish();
  await convo.send(alice);
  const [row] = await bob.rows(convo.id);
  assert.match(row.ciphertext.$bytes, /^[A-Za-z0-9+/]+={0,2}$/);
  assert.equal(row.ciphertext.$bytes.length % 4, 0);
  const [stranger] = await world.users("stranger");
  const { keyPackages: [given] } = await stranger.ok("getKeyPackages", { dids: [bob.did] });
  assert.equal(given.keyPackage, base64(made.bytes));
  await alice.ok("updateGroupInfo", { convoId: convo.id, groupInfo: base64(await convo.groupInfo()), epoch: convo.epoch });
  assert.match((await bob.ok("getGroupInfo", { convoId: convo.id })).groupInfo, /^[A-Za-z0-9+/]+={0,2}$/);
});

test("checklist 11 (v1: pending additions are named by their id): a claim needs no convoId", async () => {
  const { alice, bob, convo } = await pair();
  await bob.ok("registerDevice", await registration(bob));
  const { pendingAdditions: [addition] } = await alice.ok("getPendingDeviceAdditions");
  assert.equal(addition.convoId, convo.id);
  const { claimed } = await alice.ok("claimPendingDeviceAddition", { pendingAdditionId: addition.id, convoId: "" });
  assert.equal(claimed, true);
});

test("checklist 12 (v1: getWelcome, getGroupInfo): an absent Welcome is 404, GroupInfo comes back byte for byte with its epoch", async () => {
  const { alice, bob, convo } = await pair();
  await bob.refused("getWelcome", { convoId: convo.id }, 404, "WelcomeNotFound");
  const info = base64(await convo.groupInfo());
  await alice.ok("updateGroupInfo", { convoId: convo.id, groupInfo: info, epoch: 0 });
  const { groupInfo, epoch, expiresAt } = await bob.ok("getGroupInfo", { convoId: convo.id });
  assert.deepEqual([groupInfo, epoch], [info, 0]);
  assert.ok(expiresAt === undefined || Date.parse(expiresAt) > Date.now());
});

test("checklist 13: frames have their type in full, canonical items and known types; Authorization is not looked at", async () => {
  const { alice, bob, convo } = await pair();
  const socket = new EventSocket(bob, convo.id);  // holds every frame to its form
  open.push(socket);
  await socket.open({}, { authorization: "Bearer an-access-token-of-the-pds" });
  await convo.send(alice);
  await convo.commitOnly(alice);
  await socket.untilRow(convo.id, 2);
  assert.deepEqual(socket.rows.map(({ seq }) => seq), [1, 2]);
});

test("checklist 14: aud with and without the service's fragment, a token once, lxm exactly, iss with a device", async () => {
  const { alice } = await pair();
  const query = { convoId: "00" };
  for (const aud of [serviceDid, `${serviceDid}#atproto_mls`]) {
    assert.equal((await rawGet("getConvos", {}, await mintedFor(alice, "getConvos", { aud }))).status, 200, aud);
  }
  const token = await mintedFor(alice, "getConvos", { iss: `${alice.did}#phone` });
  assert.equal((await rawGet("getConvos", {}, token)).status, 200);
  assert.equal((await rawGet("getConvos", {}, token)).status, 401, "twice");
  assert.equal((await rawGet("getEpoch", query, await mintedFor(alice, "getConvos"))).status, 401, "another method");
});

test("checklist 15: no header of our own is needed, a body of 16 MB is read, and answers keep to the proxy's limits", async () => {
  const { alice, bob, convo } = await pair();
  const started = Date.now();
  const { status, body } = await alice.tryOnce("sendMessage", JSON.stringify({ ...convo.message(), filler: "x".repeat(15 * megabyte) }));
  assert.equal(status, 200, JSON.stringify(body));
  assert.ok(Date.now() - started < answerMsMax);
  for (let i = 0; i < 3; i += 1) {
    const frame = applicationFrame({ ...convo.where, bytes: 3 * megabyte });
    await convo.send(alice, { ciphertext: { $bytes: base64(frame) }, paddedSize: frame.length });
  }
  const response = await fetch(`${world.server.url}/xrpc/${prefix}getMessages?convoId=${convo.id}&limit=100`, { headers: { authorization: `Bearer ${await mintedFor(bob, "getMessages")}` } });
  const { byteLength } = await response.arrayBuffer();
  assert.ok(byteLength > 4 * megabyte && byteLength < 10 * megabyte, `${byteLength} of about 12 MB`);
});

test("checklist 16: key packages of devices by their DIDs, those missing named, each with its hash", async () => {
  const [alice, bob, carol] = await world.users("alice", "bob", "carol");
  const made = await bob.on("phone").publish();
  await bob.on("laptop").publish();
  const { keyPackages, missing } = await alice.ok("getKeyPackages", { dids: [`${bob.did}#phone`, carol.did] });
  assert.deepEqual(keyPackages.map(({ did, deviceId, keyPackageHash }) => [did, deviceId, keyPackageHash]), [[bob.did, "phone", hashOf(made.bytes)]]);
  assert.deepEqual(missing, [carol.did]);
});

test("checklist 17: the same deviceUUID is the same device; tokens alone; other devices' Welcomes stay", async () => {
  const { alice, bob } = await pair();
  const input = await registration(bob);
  const { deviceId } = await bob.ok("registerDevice", input);
  assert.equal((await bob.ok("registerDevice", { ...input, deviceName: "renamed" })).deviceId, deviceId);
  await bob.ok("registerDeviceToken", { deviceId, pushToken: world.secret(`token-${randomUUID()}`), platform: "ios" });
  await bob.ok("unregisterDeviceToken", { deviceId });
  const laptop = bob.on("laptop");
  const made = await laptop.publish();
  await alice.ok("getKeyPackages", { dids: [`${bob.did}#laptop`] });
  const convo = await Convo.create(alice, [bob], { welcomeMessage: base64(welcomeFor([made.ref])) });
  await bob.ok("registerDevice", await registration(bob));
  await bob.ok("deleteDevice", { deviceId });
  await laptop.ok("getWelcome", { convoId: convo.id });
});

test("checklist 18: updateCursor takes a message id or a number as text", async () => {
  const { alice, bob, convo } = await pair();
  const { messageId } = await convo.send(alice);
  await convo.send(alice);
  assert.equal(await bob.unread(convo.id), 2);
  await bob.ok("updateCursor", { convoId: convo.id, cursor: messageId });
  assert.equal(await bob.unread(convo.id), 1);
  await bob.ok("updateCursor", { convoId: convo.id, cursor: "2" });
  assert.equal(await bob.unread(convo.id), 0);
});

test("checklist 19: a Welcome confirmed twice is fine; leaving and removing work without a commit, and the group goes on", async () => {
  const [alice, bob, carol, dave] = await world.users("alice", "bob", "carol", "dave");
  const made = await bob.publish();
  await alice.ok("getKeyPackages", { dids: [bob.did] });
  const convo = await Convo.create(alice, [bob, carol, dave], { welcomeMessage: base64(welcomeFor([made.ref])) });
  for (let i = 0; i < 2; i += 1) await bob.ok("confirmWelcome", { convoId: convo.id, success: true });
  assert.equal((await carol.ok("leaveConvo", { convoId: convo.id })).newEpoch, convo.epoch);
  await alice.ok("removeMember", { convoId: convo.id, targetDid: dave.did, idempotencyKey: randomUUID() });
  assert.deepEqual((await bob.viewOf(convo.id)).members.map(({ did }) => did).sort(), [alice.did, bob.did].sort());
  await convo.commitOnly(bob);
  await convo.send(alice);
});
