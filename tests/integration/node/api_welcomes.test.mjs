// SPDX-License-Identifier: MIT
// Welcomes wait for the device they are for until it confirms them; a GroupInfo is that of the
// current epoch or none.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { externalCommit, welcomeFor } from "./lib/handmade.mjs";
import { Convo, World, base64 } from "./lib/world.mjs";

let world;
before(async () => { world = await World.start(); });
after(() => world?.end());

/** bob with one key package per device, reserved to alice. */
async function reserved(...devices) {
  const [alice, bob] = await world.users("alice", "bob");
  const packages = {};
  for (const device of devices) packages[device] = await (device ? bob.on(device) : bob).publish();
  await alice.ok("getKeyPackages", { dids: [bob.did] });
  return { alice, bob, packages, refs: Object.values(packages).map(({ ref }) => ref) };
}

const welcomeOf = async (user, convo) => (await user.ok("getWelcome", { convoId: convo.id })).welcome;
const confirm = (user, convo, extra) => user.ok("confirmWelcome", { convoId: convo.id, success: true, ...extra });
const gone = (user, convo) => user.refused("getWelcome", { convoId: convo.id }, 404, "WelcomeNotFound");

test("a Welcome is read as often as one likes, over a restart too, and ends when confirmed", async () => {
  const { alice, bob, refs } = await reserved("");
  const convo = await Convo.create(alice);
  const welcomeMessage = base64(welcomeFor(refs));
  await convo.add(alice, [bob], { welcomeMessage });
  assert.deepEqual(await bob.ok("getWelcome", { convoId: convo.id }), { convoId: convo.id, welcome: welcomeMessage, epoch: 1 });
  assert.equal(await welcomeOf(bob, convo), welcomeMessage);
  await world.restart();
  assert.equal(await welcomeOf(bob, convo), welcomeMessage);
  assert.deepEqual(await confirm(bob, convo), { confirmed: true });
  await gone(bob, convo);
  assert.deepEqual(await confirm(bob, convo), { confirmed: true }, "twice is fine");
  await gone(bob, convo);
});

test("a Welcome that could not be processed is kept", async () => {
  const { alice, bob, refs } = await reserved("");
  const convo = await Convo.create(alice);
  await convo.add(alice, [bob], { welcomeMessage: base64(welcomeFor(refs)) });
  assert.deepEqual(await bob.ok("confirmWelcome", { convoId: convo.id, success: false, errorDetails: "NoMatchingKeyPackage" }), { confirmed: true });
  await welcomeOf(bob, convo);
});

test("who has no Welcome is told so, also the one who made it", async () => {
  const { alice, bob, refs } = await reserved("");
  const convo = await Convo.create(alice);
  await gone(alice, convo);
  await convo.add(alice, [bob], { welcomeMessage: base64(welcomeFor(refs)) });
  await gone(alice, convo);
  assert.deepEqual(await confirm(alice, convo), { confirmed: true });
  await welcomeOf(bob, convo);
});

test("each device has its own: none reads, ends or replaces that of another", async () => {
  const { alice, bob, packages } = await reserved("phone", "tablet");
  const [phone, tablet] = [bob.on("phone"), bob.on("tablet")];
  const convo = await Convo.create(alice);
  const [first, second] = ["phone", "tablet"].map((device) => base64(welcomeFor([packages[device].ref])));
  await convo.add(alice, [bob], { welcomeMessage: first });
  await gone(tablet, convo);
  await convo.change(alice, "addMembers", { didList: [bob.did], welcomeMessage: second });
  assert.equal(await welcomeOf(phone, convo), first);
  assert.equal(await welcomeOf(tablet, convo), second);
  await confirm(tablet, convo);
  await gone(tablet, convo);
  await confirm(tablet, convo);
  assert.equal(await welcomeOf(phone, convo), first);
});

test("one Welcome for two devices is confirmed by each for itself", async () => {
  const { alice, bob, refs } = await reserved("phone", "tablet");
  const [phone, tablet] = [bob.on("phone"), bob.on("tablet")];
  const convo = await Convo.create(alice);
  const welcomeMessage = base64(welcomeFor(refs));
  await convo.add(alice, [bob], { welcomeMessage });
  await confirm(phone, convo);
  await gone(phone, convo);
  assert.equal(await welcomeOf(tablet, convo), welcomeMessage);
});

test("a client that names its device in the request is that device", async () => {
  const { alice, bob, refs } = await reserved("phone", "tablet");
  const convo = await Convo.create(alice);
  await convo.add(alice, [bob], { welcomeMessage: base64(welcomeFor(refs)) });
  const asked = (deviceId) => bob.call("getWelcome", { convoId: convo.id, deviceId });
  assert.equal((await asked("phone")).status, 200);
  await confirm(bob, convo, { deviceId: "phone" });
  assert.equal((await asked("phone")).status, 404);
  assert.equal((await asked("tablet")).status, 200);
  assert.equal((await asked("fridge")).status, 404);
});

test("the device of the token wins over the one in the request", async () => {
  const { alice, bob, packages } = await reserved("phone", "tablet");
  const convo = await Convo.create(alice);
  await convo.add(alice, [bob], { welcomeMessage: base64(welcomeFor([packages.phone.ref])) });
  await bob.on("tablet").refused("getWelcome", { convoId: convo.id, deviceId: "phone" }, 404, "WelcomeNotFound");
});

test("a newer Welcome for a device takes the place of the older", async () => {
  const { alice, bob, refs } = await reserved("phone");
  const phone = bob.on("phone");
  const convo = await Convo.create(alice);
  await convo.add(alice, [bob], { welcomeMessage: base64(welcomeFor(refs)) });
  await convo.remove(alice, bob);
  const again = await phone.publish();
  await alice.ok("getKeyPackages", { dids: [bob.did] });
  const newer = base64(welcomeFor([again.ref]));
  await convo.add(alice, [bob], { welcomeMessage: newer });
  assert.deepEqual(await phone.ok("getWelcome", { convoId: convo.id }), { convoId: convo.id, welcome: newer, epoch: 3 });
  await confirm(phone, convo);
  await gone(phone, convo);
});

test("Welcomes of two conversations do not touch each other", async () => {
  const [alice, carol, bob] = await world.users("alice", "carol", "bob");
  await bob.publish();
  await bob.publish();
  const made = [];
  for (const caller of [alice, carol]) {
    const convo = await Convo.create(caller);
    const { keyPackages: [{ keyPackage }] } = await caller.ok("getKeyPackages", { dids: [bob.did] });
    assert.ok(keyPackage);
    made.push({ caller, convo });
  }
  for (const { caller, convo } of made) {
    await caller.ok("addMembers", convo.commit({ didList: [bob.did], welcomeMessage: base64(welcomeFor([randomBytes(32).toString("hex")])) }));
  }
  await confirm(bob, made[0].convo);
  await gone(bob, made[0].convo);
  await welcomeOf(bob, made[1].convo);
});

test("a Welcome whose packages never passed here is for those whom the request names", async () => {
  const [alice, bob, carol] = await world.users("alice", "bob", "carol");
  const convo = await Convo.create(alice);
  const welcomeMessage = base64(welcomeFor([randomBytes(32).toString("hex"), randomBytes(32).toString("hex")]));
  await convo.add(alice, [bob, carol], { welcomeMessage });
  assert.equal(await welcomeOf(bob, convo), welcomeMessage);
  assert.equal(await welcomeOf(carol.on("any"), convo), welcomeMessage);
  await confirm(bob, convo);
  await gone(bob, convo);
  await welcomeOf(carol, convo);
});

test("a commit that is refused leaves no Welcome", async () => {
  const { alice, bob, refs } = await reserved("");
  const convo = await Convo.create(alice, [bob]);
  await convo.commitOnly(alice);
  await alice.refused("addMembers", { ...new Convo(convo.groupId, 0).commit({ didList: [], welcomeMessage: base64(welcomeFor(refs)) }) }, 409, "EpochMismatch");
  await gone(bob, convo);
});

const infoOf = (user, convo) => user.ok("getGroupInfo", { convoId: convo.id });
const none = (user, convo) => user.refused("getGroupInfo", { convoId: convo.id }, 404, "GroupInfoUnavailable");

test("a GroupInfo is served for the epoch it is of, byte for byte, and no longer", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const convo = await Convo.create(alice, [bob]);
  await none(alice, convo);
  const groupInfo = base64(await convo.groupInfo());
  assert.deepEqual(await bob.ok("updateGroupInfo", { convoId: convo.id, groupInfo, epoch: 0 }), { updated: true });
  assert.equal((await infoOf(alice, convo)).groupInfo, groupInfo);
  await alice.ok("updateGroupInfo", { convoId: convo.id, groupInfo, epoch: 0 });
  await convo.commitOnly(alice);
  await none(alice, convo);
  await none(bob, convo);
});

test("a GroupInfo beside any commit, or the creation, is stored with it", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const groupId = randomBytes(16);
  const zero = base64(await new Convo(groupId).groupInfo());
  const view = await alice.ok("createConvo", { groupId: groupId.toString("hex"), cipherSuite: "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519", groupInfo: zero });
  const convo = new Convo(groupId, view.epoch);
  assert.equal((await infoOf(alice, convo)).groupInfo, zero);
  const next = async () => ({ groupInfo: base64(await convo.groupInfo(convo.epoch + 1)) });
  const steps = [
    async () => convo.add(alice, [bob], await next()),
    async () => convo.commitOnly(bob, await next()),
    async () => convo.remove(alice, bob, await next()),
  ];
  for (const step of steps) {
    const { input } = await step();
    const stored = await infoOf(alice, convo);
    assert.deepEqual([stored.groupInfo, stored.epoch], [input.groupInfo, convo.epoch]);
  }
  const { groupInfo } = await next();
  await alice.ok("processExternalCommit", { convoId: convo.id, externalCommit: base64(await externalCommit({ ...convo.where, identity: alice.did })), groupInfo });
  assert.equal((await infoOf(alice, convo)).groupInfo, groupInfo);
});

test("a GroupInfo of another group, another epoch or with another number beside it is refused", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const convo = await Convo.create(alice, [bob]);
  await convo.commitOnly(alice, { groupInfo: base64(await convo.groupInfo(1)) });
  const before = await infoOf(bob, convo);
  const refused = (groupInfo, epoch, status, name) =>
    alice.refused("updateGroupInfo", { convoId: convo.id, groupInfo: base64(groupInfo), epoch }, status, name);
  await refused(await new Convo(randomBytes(16)).groupInfo(1), 1, 400, "InvalidGroupInfo");
  const body = await refused(await convo.groupInfo(0), 0, 409, "EpochMismatch");
  assert.match(body.message, /^EpochMismatch: serverEpoch=1 clientEpoch=0/);
  await refused(await convo.groupInfo(2), 2, 400, "InvalidGroupInfo");
  await refused(await convo.groupInfo(1), 2, 400, "InvalidGroupInfo");
  await refused(await convo.groupInfo(1), -1, 400, "InvalidGroupInfo");
  await refused(randomBytes(300), 1, 400, "InvalidGroupInfo");
  await refused(welcomeFor(["ab".repeat(32)]), 1, 400, "InvalidGroupInfo");
  await refused(randomBytes(7 * 1024 * 1024 + 1), 1, 413, "MessageTooLarge");
  await alice.refused("updateGroupInfo", { convoId: convo.id, epoch: 1 }, 400, "InvalidRequest");
  await alice.refused("updateGroupInfo", { convoId: convo.id, groupInfo: base64(await convo.groupInfo(1)), epoch: "1" }, 400, "InvalidRequest");
  assert.equal((await infoOf(bob, convo)).groupInfo, before.groupInfo);
});

test("an external commit replaces the device that came back and keeps the roster", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const convo = await Convo.create(alice, [bob]);
  const phone = bob.on("phone");
  const come = async () => {
    const commit = await externalCommit({ ...convo.where, identity: `${bob.did}#phone` });
    await phone.ok("processExternalCommit", { convoId: convo.id, externalCommit: base64(commit) });
    convo.epoch += 1;
  };
  await come();
  await come();
  const { members } = await alice.viewOf(convo.id);
  assert.equal(members.length, 2);
  assert.equal(members.find(({ did }) => did === bob.did).deviceId, "phone");
  assert.equal(await bob.epochOf(convo.id), 2);
});
