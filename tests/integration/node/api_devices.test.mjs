// SPDX-License-Identifier: MIT
// Devices: registering, what goes with one, push tokens, new devices that wait to be added, the
// opt-in, and what an owner is told of key packages and Welcomes.
import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { keyPackage, newSigner, welcomeFor } from "./lib/handmade.mjs";
import { Convo, World, base64, suite1 } from "./lib/world.mjs";

let world;
before(async () => { world = await World.start(); });
after(() => world?.end());

const hashOf = (bytes) => createHash("sha256").update(bytes).digest("hex");
const keyOf = (signer) => ({ $bytes: base64(signer.publicKey) });
const inDays = (days) => new Date(Date.now() + days * 86_400_000).toISOString();
const itemOf = (made) => ({ keyPackage: base64(made.bytes), cipherSuite: suite1, expires: inDays(20) });

/** A registration with `count` key packages: { input, signer, made }. */
async function registration(user, { count = 1, signer, uuid = randomUUID(), name = "a phone", device } = {}) {
  const key = signer ?? await newSigner();
  const identity = device ? `${user.did}#${device}` : user.did;
  const made = [];
  for (let at = 0; at < count; at += 1) made.push(await keyPackage({ identity, signer: key }));
  const input = { deviceName: name, ...(uuid ? { deviceUUID: uuid } : {}), keyPackages: made.map(itemOf), signaturePublicKey: keyOf(key) };
  return { input, signer: key, made };
}

const register = async (user, options) => {
  const wanted = await registration(user, options);
  return { ...wanted, answer: await user.ok("registerDevice", wanted.input) };
};
const devicesOf = async (user) => (await user.ok("listDevices")).devices;
const claim = async (caller, did) => (await caller.ok("getKeyPackages", { dids: [did] })).keyPackages;

test("the same deviceUUID gets the same deviceId, whatever else is new", async () => {
  const bob = await world.user("bob");
  const first = await register(bob, { count: 2 });
  assert.equal(first.answer.mlsDid, `${bob.did}#${first.answer.deviceId}`);
  assert.deepEqual(first.answer.autoJoinedConvos, []);
  assert.deepEqual(await bob.ok("registerDevice", first.input), first.answer, "a retry");

  const again = await register(bob, { uuid: first.input.deviceUUID, signer: first.signer, name: "renamed" });
  assert.equal(again.answer.deviceId, first.answer.deviceId);
  const { deviceUuid, ...older } = { ...first.input, deviceUuid: first.input.deviceUUID };
  delete older.deviceUUID;
  assert.equal((await bob.ok("registerDevice", { ...older, deviceUuid })).deviceId, first.answer.deviceId, "the older spelling");
  const nameless = await register(bob, { uuid: null, signer: first.signer });
  assert.equal(nameless.answer.deviceId, first.answer.deviceId, "known by its signature key");

  const [device, ...others] = await devicesOf(bob);
  assert.deepEqual(others, []);
  assert.deepEqual([device.deviceId, device.deviceName, device.deviceUUID, device.credentialDid, device.keyPackageCount],
    [first.answer.deviceId, "a phone", first.input.deviceUUID, first.answer.mlsDid, 4]);
  assert.ok(Date.parse(device.lastSeenAt) >= Date.parse(device.registeredAt));
});

test("two registrations of one device at the same time make one", async () => {
  const bob = await world.user("bob");
  const { input } = await registration(bob, { count: 3 });
  const answers = await Promise.all(Array.from({ length: 8 }, () => bob.ok("registerDevice", input)));
  assert.equal(new Set(answers.map(({ deviceId }) => deviceId)).size, 1);
  assert.equal((await devicesOf(bob)).length, 1);
  assert.equal((await bob.ok("getKeyPackageStats")).available, 3);
});

test("wrong registrations are refused with their names, and nothing is stored", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const { input } = await registration(bob);
  const stranger = await registration(alice);
  const refused = (change, name, status = 400) => bob.refused("registerDevice", { ...input, ...change }, status, name);
  await refused({ deviceName: "" }, "InvalidDeviceName");
  await refused({ deviceName: "x".repeat(101) }, "InvalidDeviceName");
  await refused({ deviceName: "a\nb" }, "InvalidDeviceName");
  await refused({ deviceName: undefined }, "InvalidRequest");
  await refused({ signaturePublicKey: { $bytes: base64(Buffer.alloc(31)) } }, "InvalidSignatureKey");
  await refused({ signaturePublicKey: { $bytes: base64(Buffer.alloc(33)) } }, "InvalidSignatureKey");
  await refused({ signaturePublicKey: stranger.input.signaturePublicKey }, "InvalidKeyPackages");
  await refused({ keyPackages: stranger.input.keyPackages, signaturePublicKey: stranger.input.signaturePublicKey }, "InvalidKeyPackages");
  await refused({ keyPackages: [...input.keyPackages, { keyPackage: "AAAA", cipherSuite: suite1 }] }, "InvalidKeyPackages");
  assert.match((await refused({ keyPackages: [...input.keyPackages, { keyPackage: "AAAA", cipherSuite: suite1 }] }, "InvalidKeyPackages")).message, /^keyPackages\[1\]: /);
  assert.deepEqual(await devicesOf(bob), []);
  assert.equal((await bob.ok("getKeyPackageStats")).total, 0);

  const { answer } = await register(bob, { device: "laptop" });
  assert.equal(answer.deviceId, "laptop", "a credential that names the device is taken at its word");
  const other = await registration(bob, { device: "tablet", signer: (await registration(bob)).signer });
  const twice = { ...other.input, keyPackages: [...other.input.keyPackages, ...(await registration(bob, { device: "laptop", signer: other.signer })).input.keyPackages] };
  await bob.refused("registerDevice", twice, 400, "InvalidKeyPackages");
});

test("a signature key belongs to one device", async () => {
  const bob = await world.user("bob");
  const { signer } = await register(bob);
  const { input } = await registration(bob, { signer });
  await bob.refused("registerDevice", input, 409, "DeviceAlreadyRegistered");
  assert.equal((await devicesOf(bob)).length, 1);
  const carol = await world.user("carol");
  await register(carol, { signer });
});

test("a new signature key ends the packages of the old one", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const old = await register(bob, { count: 3 });
  const fresh = await register(bob, { uuid: old.input.deviceUUID, count: 2 });
  assert.equal(fresh.answer.deviceId, old.answer.deviceId);
  assert.equal((await devicesOf(bob))[0].keyPackageCount, 2);
  const handed = await claim(alice, bob.did);
  assert.deepEqual(handed.map(({ keyPackageHash }) => keyPackageHash), [hashOf(fresh.made[0].bytes)]);
});

test("the eleventh device is refused, and has room once another is gone", async () => {
  const bob = await world.user("bob");
  const ids = [];
  for (let at = 0; at < 10; at += 1) ids.push((await register(bob, { count: 0 })).answer.deviceId);
  assert.deepEqual((await devicesOf(bob)).map(({ deviceId }) => deviceId).sort(), [...ids].sort());
  const { input } = await registration(bob, { count: 0 });
  const { message } = await bob.refused("registerDevice", input, 429, "TooManyDevices");
  assert.match(message, /10 devices/);
  await bob.ok("deleteDevice", { deviceId: ids[3] });
  await bob.ok("registerDevice", input);
});

test("deleting a device takes its own things, and nothing of another", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const [phone, laptop] = [await register(bob, { count: 3 }), await register(bob, { count: 2 })];
  await bob.ok("registerDeviceToken", { deviceId: phone.answer.deviceId, pushToken: world.secret("token-of-the-phone") });
  await bob.ok("registerDeviceToken", { deviceId: laptop.answer.deviceId, pushToken: world.secret("token-of-the-laptop"), platform: "web" });
  const convo = await Convo.create(alice, [bob]);
  const handed = await claim(alice, bob.did);
  assert.equal(handed.length, 2, "one of each device");

  assert.deepEqual(await bob.ok("deleteDevice", { deviceId: phone.answer.deviceId }), { deleted: true, keyPackagesDeleted: 3 });
  assert.deepEqual((await devicesOf(bob)).map(({ deviceId, keyPackageCount }) => [deviceId, keyPackageCount]), [[laptop.answer.deviceId, 1]]);
  await bob.refused("deleteDevice", { deviceId: phone.answer.deviceId }, 404, "DeviceNotFound");
  await alice.refused("deleteDevice", { deviceId: laptop.answer.deviceId }, 404, "DeviceNotFound");
  assert.deepEqual((await claim(alice, bob.did)).map(({ keyPackageHash }) => keyPackageHash), [hashOf(laptop.made[0].bytes)], "the reservation of the other stands");
  assert.equal(await bob.epochOf(convo.id), 0, "the user is still a member");
  // A commit that wanted the phone's package must not go through.
  const gone = handed.find(({ keyPackageHash }) => phone.made.some((made) => hashOf(made.bytes) === keyPackageHash));
  const ref = phone.made.find((made) => hashOf(made.bytes) === gone.keyPackageHash).ref;
  await alice.refused("addMembers", convo.commit({ didList: [bob.did], welcomeMessage: base64(welcomeFor([ref])), keyPackageHashes: [{ did: bob.did, hash: gone.keyPackageHash }] }), 409, "KeyPackageNotFound");
  const back = await register(bob, { uuid: phone.input.deviceUUID });
  assert.notEqual(back.answer.deviceId, phone.answer.deviceId);
});

test("push tokens: kept, renewed, forgotten, and only for one's own devices", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const { answer: { deviceId } } = await register(bob, { count: 0 });
  const token = world.secret(`apns-${randomUUID()}`);
  assert.deepEqual(await bob.ok("registerDeviceToken", { deviceId, pushToken: token, platform: "ios", deviceName: "bob's" }), { success: true });
  assert.equal((await devicesOf(bob))[0].deviceName, "bob's");
  await bob.ok("registerDeviceToken", { deviceId, pushToken: world.secret(`fcm-${randomUUID()}`), platform: "android" });
  await alice.refused("registerDeviceToken", { deviceId, pushToken: token }, 404, "DeviceNotFound");
  await bob.refused("registerDeviceToken", { deviceId, pushToken: "" }, 400, "InvalidRequest");
  await bob.refused("registerDeviceToken", { deviceId, pushToken: "x".repeat(4097) }, 400, "InvalidRequest");
  await bob.refused("registerDeviceToken", { deviceId, pushToken: "x", platform: "pager" }, 400, "InvalidRequest");
  for (let times = 0; times < 2; times += 1) assert.deepEqual(await bob.ok("unregisterDeviceToken", { deviceId }), { success: true });
});

test("a new device waits to be added: listed to members, claimed by one, done once", async () => {
  const [alice, bob, carol, eve] = await world.users("alice", "bob", "carol", "eve");
  const convo = await Convo.create(alice, [bob, carol]);
  const other = await Convo.create(alice, [carol]);
  const { answer: { deviceId, mlsDid }, made } = await register(bob, { count: 1, name: "bob's phone" });

  const { pendingAdditions: [pending, ...more] } = await alice.ok("getPendingDeviceAdditions");
  assert.deepEqual(more, []);
  const { id, createdAt, ...rest } = pending;
  assert.deepEqual(rest, { convoId: convo.id, userDid: bob.did, deviceId, deviceName: "bob's phone", deviceCredentialDid: mlsDid, status: "pending" });
  assert.deepEqual((await carol.ok("getPendingDeviceAdditions", { convoIds: [other.id] })).pendingAdditions, []);
  assert.deepEqual((await eve.ok("getPendingDeviceAdditions", { convoIds: [convo.id] })).pendingAdditions, []);

  for (const pendingAdditionId of [id, randomUUID()]) {
    assert.deepEqual(await eve.ok("claimPendingDeviceAddition", { pendingAdditionId }), { claimed: false }, "to a stranger all are alike");
    assert.equal((await eve.ok("completePendingDeviceAddition", { pendingAdditionId, newEpoch: 1 })).success, false);
  }
  await carol.refused("completePendingDeviceAddition", { pendingAdditionId: id, newEpoch: 1 }, 409, "NotClaimed");
  const claims = await Promise.all([alice, carol].map((user) => user.ok("claimPendingDeviceAddition", { pendingAdditionId: id })));
  assert.deepEqual(claims.map(({ claimed }) => claimed).sort(), [false, true], "one of them");
  const [winner, loser] = claims[0].claimed ? [alice, carol] : [carol, alice];
  const mine = claims.find(({ claimed }) => claimed);
  assert.deepEqual([mine.convoId, mine.deviceCredentialDid, mine.claimedBy, mine.keyPackage.keyPackageHash], [convo.id, mlsDid, winner.did, hashOf(made[0].bytes)]);
  assert.equal(claims.find(({ claimed }) => !claimed).claimedBy, winner.did);
  assert.deepEqual(await winner.ok("claimPendingDeviceAddition", { pendingAdditionId: id }), mine, "a retry");
  const listed = (await loser.ok("getPendingDeviceAdditions")).pendingAdditions[0];
  assert.deepEqual([listed.status, listed.claimedBy], ["in_progress", winner.did]);
  await loser.refused("completePendingDeviceAddition", { pendingAdditionId: id, newEpoch: 1 }, 409, "NotClaimed");

  await convo.add(winner, [bob], { welcomeMessage: base64(welcomeFor([made[0].ref])) });
  for (let times = 0; times < 2; times += 1) assert.deepEqual(await winner.ok("completePendingDeviceAddition", { pendingAdditionId: id, newEpoch: 1 }), { success: true });
  assert.deepEqual((await loser.ok("getPendingDeviceAdditions")).pendingAdditions, []);
  assert.equal((await loser.ok("claimPendingDeviceAddition", { pendingAdditionId: id })).claimed, false);
  assert.ok((await bob.on(deviceId).ok("getWelcome", { convoId: convo.id })).welcome);
});

test("nothing waits for a user who left, nor for a device that is in the group already", async () => {
  const [alice, bob, carol] = await world.users("alice", "bob", "carol");
  const convo = await Convo.create(alice, [bob, carol]);
  const { made } = await register(bob, { count: 1 });
  await register(carol, { count: 0 });
  assert.equal((await alice.ok("getPendingDeviceAdditions")).pendingAdditions.length, 2);
  await convo.remove(alice, carol);
  assert.deepEqual((await alice.ok("getPendingDeviceAdditions")).pendingAdditions.map(({ userDid }) => userDid), [bob.did]);
  await claim(alice, bob.did);
  await convo.add(alice, [bob], { welcomeMessage: base64(welcomeFor([made[0].ref])) });
  assert.deepEqual((await alice.ok("getPendingDeviceAdditions")).pendingAdditions, []);
});

test("opting in and out, and who has", async () => {
  const [alice, bob, carol] = await world.users("alice", "bob", "carol");
  const { optedInAt } = await bob.ok("optIn", { deviceId: "phone" });
  assert.deepEqual(await bob.ok("optIn", {}), { optedIn: true, optedInAt }, "the first time counts");
  await carol.ok("optIn", {});
  assert.deepEqual(await carol.ok("optOut"), { success: true });
  assert.deepEqual(await carol.ok("optOut"), { success: true });
  assert.deepEqual((await alice.ok("getOptInStatus", { dids: [bob.did, carol.did] })).statuses,
    [{ did: bob.did, optedIn: true, optedInAt }, { did: carol.did, optedIn: false }]);
  await alice.refused("getOptInStatus", { dids: [] }, 400, "InvalidRequest");
  await alice.refused("getOptInStatus", { dids: ["nobody"] }, 400, "InvalidDid");
  await alice.refused("getOptInStatus", { dids: Array.from({ length: 101 }, () => bob.did) }, 400, "TooManyDids");
});

test("syncKeyPackages removes what the device does not know, and only that", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const phone = await register(bob, { count: 4 });
  const laptop = await register(bob, { count: 2 });
  const hashes = phone.made.map(({ bytes }) => hashOf(bytes));
  const { deviceId } = phone.answer;
  const reserved = (await alice.ok("getKeyPackages", { dids: [phone.answer.mlsDid] })).keyPackages[0].keyPackageHash;
  assert.equal(reserved, hashes[0]);
  const known = hashes[2];

  const answer = await bob.ok("syncKeyPackages", { localHashes: [known.toUpperCase(), "ab".repeat(32)], deviceId });

  assert.deepEqual([...answer.serverHashes].sort(), [reserved, known].sort(), "what was just fetched stays");
  assert.deepEqual([...answer.orphanedHashes].sort(), [hashes[1], hashes[3]].sort());
  assert.deepEqual([answer.orphanedCount, answer.deletedCount, answer.remainingAvailable, answer.deviceId], [2, 2, 2, deviceId]);
  assert.deepEqual((await bob.ok("syncKeyPackages", { localHashes: [known], deviceId })).orphanedHashes, []);
  assert.equal((await devicesOf(bob)).find((one) => one.deviceId === laptop.answer.deviceId).keyPackageCount, 2);
  await bob.refused("syncKeyPackages", { localHashes: ["xyz"], deviceId }, 400, "InvalidRequest");
  await bob.on("another").refused("syncKeyPackages", { localHashes: [], deviceId }, 400, "InvalidRequest");
});

test("history and status of key packages, page by page", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const { made, answer } = await register(bob, { count: 5 });
  const convos = [];
  for (let at = 0; at < 3; at += 1) {
    const convo = await Convo.create(alice);
    await claim(alice, bob.did);
    await convo.add(alice, [bob], { welcomeMessage: base64(welcomeFor([made[at].ref])) });
    convos.push(convo);
  }
  const used = made.slice(0, 3).map(({ bytes }) => hashOf(bytes)).reverse();
  const whole = await bob.ok("getKeyPackageHistory");
  assert.deepEqual(whole.history.map(({ packageId }) => packageId), used);
  assert.equal("cursor" in whole, false);
  for (const entry of whole.history) {
    assert.deepEqual([entry.cipherSuite, entry.deviceId], [suite1, answer.deviceId]);
    assert.ok(Date.parse(entry.consumedAt) >= Date.parse(entry.createdAt));
  }
  const paged = [];
  for (let cursor; ;) {
    const page = await bob.ok("getKeyPackageHistory", { limit: 1, ...(cursor ? { cursor } : {}) });
    paged.push(...page.history);
    ({ cursor } = page);
    if (cursor === undefined) break;
  }
  assert.deepEqual(paged, whole.history);
  const status = await bob.ok("getKeyPackageStatus", { limit: 2 });
  assert.deepEqual([status.totalUploaded, status.available, status.consumed, status.reserved], [5, 2, 3, 0]);
  assert.deepEqual(status.consumedPackages.map(({ keyPackageHash }) => keyPackageHash), used.slice(0, 2));
  assert.ok(status.cursor);
  await bob.refused("getKeyPackageHistory", { cursor: "x" }, 400, "InvalidCursor");
  assert.deepEqual((await alice.ok("getKeyPackageHistory")).history, []);
});

test("validateWelcome says whose it is; invalidateWelcome ends it", async () => {
  const [alice, bob, carol] = await world.users("alice", "bob", "carol");
  const { made, answer } = await register(bob, { count: 2 });
  const convo = await Convo.create(alice);
  await claim(alice, bob.did);
  const welcomeMessage = { $bytes: base64(welcomeFor([made[0].ref])) };
  const seen = { valid: true, keyPackageHash: hashOf(made[0].bytes), recipientDid: bob.did };
  assert.deepEqual(await bob.ok("validateWelcome", { welcomeMessage }), { ...seen, reserved: true });
  await convo.add(alice, [bob], { welcomeMessage: welcomeMessage.$bytes });
  assert.deepEqual(await bob.ok("validateWelcome", { welcomeMessage }), { ...seen, reserved: false });
  await carol.refused("validateWelcome", { welcomeMessage }, 403, "RecipientMismatch");
  await bob.on("elsewhere").refused("validateWelcome", { welcomeMessage }, 403, "RecipientMismatch");
  await bob.refused("validateWelcome", { welcomeMessage: { $bytes: base64(welcomeFor(["ab".repeat(32)])) } }, 404, "KeyPackageNotFound");
  await bob.refused("validateWelcome", { welcomeMessage: { $bytes: "AAAA" } }, 400, "InvalidWelcome");

  const phone = bob.on(answer.deviceId);
  await phone.ok("getWelcome", { convoId: convo.id });
  await carol.refused("invalidateWelcome", { convoId: convo.id, reason: "no key" }, 403, "Unauthorized");
  await bob.on("elsewhere").refused("invalidateWelcome", { convoId: convo.id, reason: "no key" }, 404, "NotFound");
  assert.deepEqual(await phone.ok("invalidateWelcome", { convoId: convo.id, reason: "NoMatchingKeyPackage" }), { invalidated: true });
  await phone.refused("getWelcome", { convoId: convo.id }, 404, "WelcomeNotFound");
  await phone.refused("invalidateWelcome", { convoId: convo.id, reason: "again" }, 404, "NotFound");
  assert.equal(await bob.epochOf(convo.id), 1, "still a member");
});

test("a device is told which conversations it should be in, and what it lacks", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const convo = await Convo.create(alice, [bob], { metadata: { name: "us" } });
  const { made, answer } = await register(bob, { count: 1 });
  const phone = bob.on(answer.deviceId);

  const expected = async (user, extra) => (await user.ok("getExpectedConversations", extra)).conversations;
  const [{ lastActivity, ...before }] = await expected(phone);
  assert.deepEqual(before, { convoId: convo.id, name: "us", memberCount: 2, shouldBeInGroup: true, needsRejoin: true, deviceInGroup: false });
  const state = await phone.ok("validateDeviceState");
  assert.deepEqual([state.isValid, state.issues.length, state.recommendations.length, state.expectedConvos, state.actualConvos], [false, 2, 2, 1, 0]);
  assert.deepEqual(state.keyPackageInventory, { available: 1, target: 50, needsReplenishment: true, perDeviceCount: 1 });

  await claim(alice, bob.did);
  await convo.add(alice, [bob], { welcomeMessage: base64(welcomeFor([made[0].ref])) });
  const more = await registration(bob, { count: 6, signer: undefined });
  await bob.ok("registerDevice", { ...more.input, deviceUUID: (await devicesOf(bob))[0].deviceUUID });
  assert.deepEqual((await expected(bob, { deviceId: answer.deviceId })).map(({ needsRejoin, deviceInGroup }) => [needsRejoin, deviceInGroup]), [[false, true]]);
  assert.equal((await phone.ok("validateDeviceState")).isValid, true);
  const unknown = await bob.on("unknown").ok("validateDeviceState");
  assert.ok(unknown.issues.includes("the device is not registered"));
  assert.deepEqual(await expected(await world.user("nobody")), []);
});
