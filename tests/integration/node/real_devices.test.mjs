// SPDX-License-Identifier: MIT
// Two devices of one user, as independent MLS clients: registered, let in by whoever claims the addition
// first, and one of them removed again; the other device and the other people hardly notice.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { EventStream } from "./lib/event_stream.mjs";
import { Member } from "./lib/member.mjs";
import { hex } from "./lib/mls.mjs";
import { World } from "./lib/world.mjs";

let world;
before(async () => { world = await World.start(); });
after(() => world?.end());

const texts = (member) => [...member.read.values()].map(({ text }) => text);
const sync = (...members) => Promise.all(members.map((member) => member.sync()));

test("a user's second device comes, reads, loses its state, comes back and goes", async (t) => {
  const { directory, server } = world;
  const [aliceIs, bobIs, carolIs] = await Promise.all(["alice", "bob", "carol"].map((name) => directory.newUser(name)));
  const [alice, carol] = await Promise.all([aliceIs, carolIs].map((identity) => Member.create(server, identity)));
  const phone = await Member.registerDevice(server, bobIs, "bob's phone", 3);
  await carol.publishKeyPackages(2);
  await alice.createConvo();
  await alice.add([phone, carol]);
  const { convoId } = alice;
  for (const member of [phone, carol]) await member.joinByWelcome(convoId);
  let tablet;

  await t.test("a device that registers is announced; of those who would add it one may", async () => {
    const news = new EventStream(server, aliceIs, convoId);
    await news.open();
    tablet = await Member.registerDevice(server, bobIs, "bob's tablet", 3);
    await news.untilNews(1);
    assert.deepEqual(news.news, [`newDevice ${bobIs.did}`]);
    await news.close();

    const { pendingAdditions: [{ id: pendingAdditionId }] } = await alice.xrpc.get("getPendingDeviceAdditions", { convoIds: [convoId] });
    const claims = await Promise.all([alice, carol].map(async (member) =>
      ({ member, ...await member.xrpc.post("claimPendingDeviceAddition", { pendingAdditionId }) })));
    const [{ member: winner, ...claim }, ...more] = claims.filter(({ claimed }) => claimed);
    assert.deepEqual(more, []);
    const { newEpoch } = await winner.addDevice(claim);
    assert.deepEqual(await winner.xrpc.post("completePendingDeviceAddition", { pendingAdditionId, newEpoch }), { success: true });
    await tablet.joinByWelcome(convoId);
    await sync(alice, phone, carol);
  });

  await t.test("what is said reaches both devices, and each speaks for its user", async () => {
    await alice.send("to both");
    await sync(phone, tablet, carol);
    await tablet.send("from the tablet");
    await sync(alice, phone, carol);
    assert.deepEqual(texts(phone), ["to both", "from the tablet"]);
    assert.deepEqual(texts(tablet), ["to both"]);
    assert.deepEqual(texts(alice), ["from the tablet"]);
    const { conversations: [{ members }] } = await alice.xrpc.get("getConvos");
    assert.deepEqual([...new Set(members.map(({ did }) => did))].sort(), [aliceIs.did, bobIs.did, carolIs.did].sort());
  });

  await t.test("a device that lost its state is back by an external commit, and the other one stays", async () => {
    await tablet.rejoinByExternalCommit();
    await sync(alice, phone, carol);
    await phone.send("the phone was here all the time");
    await sync(alice, tablet, carol);
    assert.equal(texts(tablet).at(-1), "the phone was here all the time");
    const secrets = await Promise.all([alice, phone, tablet, carol].map((member) => member.exportedSecret()));
    assert.equal(new Set(secrets.map(hex)).size, 1);
  });

  await t.test("a removed device loses its stream and its packages, its sibling nothing", async () => {
    const tabletStream = new EventStream(server, tablet.identity, convoId);
    await tabletStream.open();
    const { keyPackagesDeleted } = await phone.xrpc.post("deleteDevice", { deviceId: tablet.deviceId });
    assert.equal(keyPackagesDeleted, 2, "of three one was used to come in");
    await tabletStream.untilEnded();
    await alice.removeDevice(tablet);
    await sync(phone, carol);
    await alice.send("among three devices");
    await sync(phone, carol);
    assert.equal(texts(phone).at(-1), "among three devices");
    assert.ok(!tabletStream.rows.some(({ seq }) => seq === alice.seq), "nothing of it left for the tablet");
    const { devices } = await phone.xrpc.get("listDevices");
    assert.deepEqual(devices.map(({ deviceId, keyPackageCount }) => [deviceId, keyPackageCount]), [[phone.deviceId, 2]]);
  });
});
