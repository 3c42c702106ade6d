// SPDX-License-Identifier: MIT
// Key packages: what is taken, who gets which, how often, and when one is used up.
import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { EventSocket } from "./lib/event_socket.mjs";
import { EventStream } from "./lib/event_stream.mjs";
import { keyPackage, welcomeFor } from "./lib/handmade.mjs";
import { suiteNamed } from "./lib/mls.mjs";
import { Convo, World, base64, suite1 } from "./lib/world.mjs";

const suite2 = "MLS_128_DHKEMP256_AES128GCM_SHA256_P256";
const suite3 = "MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519";
const day = 86_400;

let world;
before(async () => { world = await World.start(); });
after(() => world?.end());

const hashOf = (bytes) => createHash("sha256").update(bytes).digest("hex");
const item = (made, extra = {}) => ({ keyPackage: base64(made.bytes), cipherSuite: suite1, ...extra });
const inDays = (days) => new Date(Date.now() + days * day * 1000).toISOString();

/** Hashes handed out to `caller` for these DIDs. */
async function claim(caller, ...dids) {
  const { keyPackages, missing } = await caller.ok("getKeyPackages", { dids });
  return { hashes: keyPackages.map(({ keyPackageHash }) => keyPackageHash), keyPackages, missing };
}

const stats = (user, extra) => user.ok("getKeyPackageStats", extra);

test("a key package is taken bare or as MLSMessage, and given back as it came", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const bare = (await keyPackage({ identity: bob.did })).bytes.subarray(4);
  assert.deepEqual(await bob.ok("publishKeyPackage", item({ bytes: bare })), { success: true });
  const { keyPackages } = await claim(alice, bob.did);
  assert.deepEqual(keyPackages, [{ did: bob.did, keyPackage: base64(bare), keyPackageHash: hashOf(bare), cipherSuite: suite1 }]);
});

test("wrong key packages are refused, and nothing is stored", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const good = await keyPackage({ identity: bob.did });
  const spoiled = (at) => ({ bytes: Buffer.from(good.bytes.map((byte, index) => (index === (at + good.bytes.length) % good.bytes.length ? byte ^ 1 : byte))) });
  const refused = (input, name) => bob.refused("publishKeyPackage", input, 400, name);

  await refused(item(spoiled(-1)), "InvalidKeyPackage");  // the key package's own signature
  await refused(item(spoiled(80)), "InvalidKeyPackage");
  await refused(item({ bytes: good.bytes.subarray(0, -1) }), "InvalidKeyPackage");
  await refused(item({ bytes: Buffer.concat([good.bytes, Buffer.of(0)]) }), "InvalidKeyPackage");
  await refused(item({ bytes: welcomeFor([good.ref]) }), "InvalidKeyPackage");
  await refused(item({ bytes: Buffer.alloc(0) }), "InvalidKeyPackage");
  await refused(item({ bytes: Buffer.alloc(49_153) }), "InvalidKeyPackage");
  await refused(item(good, { cipherSuite: suite2 }), "InvalidKeyPackage");
  await refused(item(good, { cipherSuite: suite3 }), "InvalidKeyPackage");
  await refused(item(good, { cipherSuite: "MLS_NONE" }), "InvalidCipherSuite");
  await refused(item(good, { cipherSuite: undefined }), "InvalidRequest");
  await refused(item(good, { keyPackage: "%%%" }), "InvalidRequest");
  await refused({ cipherSuite: suite1 }, "InvalidRequest");
  await refused(item(good, { expires: "tomorrow" }), "InvalidRequest");
  await refused(item(good, { expires: inDays(-1) }), "InvalidKeyPackage");
  await refused(item(await keyPackage({ identity: alice.did })), "InvalidKeyPackage");
  await refused(item(await keyPackage({ identity: "bob" })), "InvalidKeyPackage");
  await refused(item(await keyPackage({ identity: bob.did, from: -2 * day, until: -day })), "InvalidKeyPackage");
  await refused(item(await keyPackage({ identity: bob.did, from: day })), "InvalidKeyPackage");
  await bob.on("d1").refused("publishKeyPackage", item(await keyPackage({ identity: `${bob.did}#d2` })), 400, "InvalidKeyPackage");

  assert.equal((await stats(bob)).total, 0);
  assert.deepEqual(await claim(alice, bob.did), { hashes: [], keyPackages: [], missing: [bob.did] });
});

test("an expiry beyond 90 days is taken and cut, whether inside or beside the package", async () => {
  const bob = await world.user("bob");
  await bob.publish({ until: 400 * day });
  await bob.ok("publishKeyPackage", item(await keyPackage({ identity: bob.did, until: 60 * day }), { expires: inDays(200) }));
  assert.match((await stats(bob)).oldestExpiresIn, /^(59d|60d 0h)/);
  await bob.ok("publishKeyPackage", item(await keyPackage({ identity: bob.did }), { expires: inDays(2) }));
  assert.match((await stats(bob)).oldestExpiresIn, /^(1d 23h|2d 0h)$/);
});

test("a batch takes what is good and names what is not", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const good = await Promise.all([1, 2, 3].map(() => keyPackage({ identity: bob.did })));
  const foreign = await keyPackage({ identity: alice.did });
  const keyPackages = [item(good[0]), item(foreign), item(good[1]), item(good[0]), { keyPackage: "?", cipherSuite: suite1 }, item(good[2], { cipherSuite: "x" })];
  const answer = await bob.ok("publishKeyPackages", { keyPackages });
  assert.equal(answer.succeeded, 3);
  assert.equal(answer.skipped, 1);
  assert.equal(answer.failed, 3);
  assert.deepEqual(answer.errors.map(({ index, error }) => [index, error.split(":")[0]]),
    [[1, "InvalidKeyPackage"], [4, "InvalidRequest"], [5, "InvalidCipherSuite"]]);
  assert.equal((await stats(bob)).available, 2);
  assert.deepEqual(await bob.ok("publishKeyPackages", { keyPackages: [item(good[0])] }), { succeeded: 1, failed: 0, skipped: 1 });
  assert.equal((await stats(bob)).total, 2);
});

test("a batch is neither empty nor above a hundred", async () => {
  const bob = await world.user("bob");
  await bob.refused("publishKeyPackages", { keyPackages: [] }, 400, "InvalidRequest");
  await bob.refused("publishKeyPackages", {}, 400, "InvalidRequest");
  await bob.refused("publishKeyPackages", { keyPackages: "none" }, 400, "InvalidRequest");
  await bob.refused("publishKeyPackages", { keyPackages: Array.from({ length: 101 }, () => ({})) }, 400, "BatchTooLarge");
});

test("a device holds two hundred key packages of a suite", async () => {
  const bob = await world.user("bob");
  const batch = () => Promise.all(Array.from({ length: 100 }, () => keyPackage({ identity: bob.did })));
  for (let count = 0; count < 2; count += 1) {
    const answer = await bob.ok("publishKeyPackages", { keyPackages: (await batch()).map((made) => item(made)) });
    assert.equal(answer.succeeded, 100);
  }
  const more = item(await keyPackage({ identity: bob.did }));
  const { status, body, retryAfter } = await bob.call("publishKeyPackage", more);
  assert.equal(`${status} ${body.error}`, "429 TooManyKeyPackages");
  assert.ok(Number(retryAfter) > 0);
  const answer = await bob.ok("publishKeyPackages", { keyPackages: [more] });
  assert.equal(answer.failed, 1);
  assert.match(answer.errors[0].error, /^TooManyKeyPackages/);
  await bob.on("other").publish();
});

test("a key package goes to one caller; who asks again gets the same", async () => {
  const [alice, bob, carol] = await world.users("alice", "bob", "carol");
  for (let count = 0; count < 3; count += 1) await bob.publish();
  const first = await claim(alice, bob.did);
  assert.equal(first.hashes.length, 1);
  assert.deepEqual(await claim(alice, bob.did), first);
  const second = await claim(carol, bob.did);
  assert.notEqual(second.hashes[0], first.hashes[0]);
  await world.restart();
  assert.deepEqual(await claim(alice, bob.did), first);
  const third = await claim(await world.user("dave"), bob.did);
  assert.equal(new Set([first, second, third].map(({ hashes }) => hashes[0])).size, 3);
  assert.deepEqual(await claim(await world.user("eve"), bob.did), { hashes: [], keyPackages: [], missing: [bob.did] });
});

test("many callers at once never get the same one", async () => {
  const bob = await world.user("bob");
  for (let count = 0; count < 10; count += 1) await bob.publish();
  const callers = await Promise.all(Array.from({ length: 16 }, (_, index) => world.user(`caller${index}`)));
  const got = (await Promise.all(callers.map((caller) => claim(caller, bob.did)))).flatMap(({ hashes }) => hashes);
  assert.equal(got.length, 10);
  assert.equal(new Set(got).size, 10);
});

test("the last resort comes only when nothing else is left, again and again, and says so", async () => {
  const [alice, bob, carol] = await world.users("alice", "bob", "carol");
  const last = await bob.publish({ lastResort: true });
  const once = await bob.publish();
  assert.deepEqual((await claim(alice, bob.did)).hashes, [hashOf(once.bytes)]);
  for (const caller of [carol, carol, await world.user("dave")]) {
    const { keyPackages: [given] } = await claim(caller, bob.did);
    assert.equal(given.keyPackageHash, hashOf(last.bytes));
    assert.equal(given.lastResort, true);
  }
  for (const caller of [carol, alice]) {
    const convo = await Convo.create(caller);
    await convo.add(caller, [bob], { welcomeMessage: base64(welcomeFor([last.ref])) });
  }
  assert.deepEqual((await claim(carol, bob.did)).hashes, [hashOf(last.bytes)], "never used up");
  const newer = await bob.publish({ lastResort: true });
  assert.deepEqual((await claim(carol, bob.did)).hashes, [hashOf(newer.bytes)], "the newest stands for the older");
});

test("a commit uses up what its Welcome names, and only for its reserver", async () => {
  const [alice, bob, carol] = await world.users("alice", "bob", "carol");
  const [first, second] = [await bob.publish(), await bob.publish()];
  await claim(alice, bob.did);
  const welcomeMessage = base64(welcomeFor([first.ref]));
  const ofCarol = await Convo.create(carol);
  await carol.refused("addMembers", ofCarol.commit({ didList: [bob.did], welcomeMessage }), 409, "KeyPackageNotFound");
  assert.equal(await carol.epochOf(ofCarol.id), 0);
  const convo = await Convo.create(alice);
  await convo.add(alice, [bob], { welcomeMessage, keyPackageHashes: [{ did: bob.did, hash: hashOf(first.bytes) }] });
  const { available, consumed, total, consumedLast24h, consumedLast7d } = await stats(bob);
  assert.deepEqual({ available, consumed, total, consumedLast24h, consumedLast7d },
    { available: 1, consumed: 1, total: 2, consumedLast24h: 1, consumedLast7d: 1 });
  const other = await Convo.create(alice);
  await alice.refused("addMembers", other.commit({ didList: [bob.did], welcomeMessage }), 409, "KeyPackageNotFound");
  assert.deepEqual((await claim(alice, bob.did)).hashes, [hashOf(second.bytes)]);
  assert.deepEqual(await bob.ok("publishKeyPackages", { keyPackages: [item(first)] }), { succeeded: 1, failed: 0, skipped: 1 });
  assert.equal((await stats(bob)).available, 0, "a used one does not come back by publishing it again");
});

test("a named hash may be the reference too, and counts without a Welcome", async () => {
  for (const hash of [({ ref }) => ref, ({ bytes }) => hashOf(bytes)]) {
    const [alice, bob] = await world.users("alice", "bob");
    const made = await bob.publish();
    const convo = await Convo.create(alice);
    const hashes = { keyPackageHashes: [{ did: bob.did, hash: hash(made) }] };
    await alice.refused("addMembers", convo.commit({ didList: [bob.did], ...hashes }), 409, "KeyPackageNotFound");
    await claim(alice, bob.did);
    await convo.add(alice, [bob], hashes);
    assert.equal((await stats(bob)).consumed, 1);
  }
});

test("a refused commit uses up nothing", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const made = await bob.publish();
  const convo = await Convo.create(alice);
  await claim(alice, bob.did);
  const input = convo.commit({ didList: [bob.did], welcomeMessage: base64(welcomeFor([made.ref])) });
  await convo.commitOnly(alice);
  await alice.refused("addMembers", input, 409, "EpochMismatch");
  assert.equal((await stats(bob)).consumed, 0);
  await convo.add(alice, [bob], { welcomeMessage: input.welcomeMessage, idempotencyKey: randomUUID() });
});

test("one package per device; a device-qualified DID asks for that device only", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const phone = await bob.on("phone").publish();
  const tablet = await bob.on("tablet").publish({ as: bob.did });
  const given = (await claim(alice, bob.did)).keyPackages.map(({ did, deviceId, keyPackageHash }) => ({ did, deviceId, keyPackageHash }));
  assert.deepEqual(given.sort((a, b) => a.deviceId.localeCompare(b.deviceId)), [
    { did: bob.did, deviceId: "phone", keyPackageHash: hashOf(phone.bytes) },
    { did: bob.did, deviceId: "tablet", keyPackageHash: hashOf(tablet.bytes) },
  ]);
  assert.deepEqual((await claim(alice, `${bob.did}#tablet`)).hashes, [hashOf(tablet.bytes)]);
  assert.deepEqual(await claim(alice, `${bob.did}#fridge`), { hashes: [], keyPackages: [], missing: [bob.did] });
});

test("a device without a package is missing although another of the same user has one", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  await bob.on("phone").publish();
  const { missing } = await claim(alice, `${bob.did}#phone`, `${bob.did}#fridge`);
  assert.equal(missing.length, 1);
});

test("a user named twice is answered once", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  await bob.publish();
  assert.equal((await claim(alice, bob.did, bob.did)).hashes.length, 1);
});

test("what is missing is named, for several users and both spellings of the list", async () => {
  const [alice, bob, carol, dave] = await world.users("alice", "bob", "carol", "dave");
  await bob.publish();
  const { keyPackages, missing } = await claim(alice, bob.did, carol.did, dave.did, carol.did);
  assert.deepEqual(keyPackages.map(({ did }) => did), [bob.did]);
  assert.deepEqual(missing, [carol.did, dave.did]);
  const bracketed = await alice.call("getKeyPackages", { "dids[]": [bob.did, carol.did] });
  assert.deepEqual(bracketed.body.missing, [carol.did]);
});

test("getKeyPackages refuses lists it cannot read", async () => {
  const alice = await world.user("alice");
  await alice.refused("getKeyPackages", {}, 400, "InvalidRequest");
  await alice.refused("getKeyPackages", { dids: ["alice.test"] }, 400, "InvalidDid");
  await alice.refused("getKeyPackages", { dids: [`${alice.did}#`] }, 400, "InvalidDid");
  await alice.refused("getKeyPackages", { dids: Array(101).fill(alice.did) }, 400, "TooManyDids");
  await alice.refused("getKeyPackages", { dids: [alice.did], cipherSuite: "x" }, 400, "InvalidCipherSuite");
  await alice.refused("getKeyPackageStats", { did: "x" }, 400, "InvalidDid");
  await alice.refused("getKeyPackageStats", { cipherSuite: "x" }, 400, "InvalidCipherSuite");
});

test("suites are kept apart, in hand-outs and in counts", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const p256 = await keyPackage({ identity: bob.did, cipherSuite: await suiteNamed(suite2) });
  await bob.ok("publishKeyPackage", item(p256, { cipherSuite: suite2 }));
  await bob.publish();
  const { keyPackages } = await alice.ok("getKeyPackages", { dids: [bob.did], cipherSuite: suite2 });
  assert.deepEqual(keyPackages.map(({ cipherSuite }) => cipherSuite), [suite2]);
  const all = await stats(alice, { did: bob.did });
  assert.equal(all.available, 1);
  assert.equal(all.total, 2);
  assert.deepEqual(Object.fromEntries(all.byCipherSuite.map(({ cipherSuite, available }) => [cipherSuite, available])), { [suite1]: 1, [suite2]: 0 });
  const one = await stats(alice, { did: bob.did, cipherSuite: suite1 });
  assert.equal(one.available, 1);
  assert.equal("byCipherSuite" in one, false);
});

test("low stock is visible", async () => {
  const bob = await world.user("bob");
  const none = await stats(bob);
  assert.equal(none.needsReplenish, true);
  assert.equal("oldestExpiresIn" in none, false);
  for (let count = 0; count < none.threshold; count += 1) await bob.publish();
  const enough = await stats(bob);
  assert.deepEqual([enough.available, enough.needsReplenish], [none.threshold, false]);
  assert.match(enough.oldestExpiresIn, /^(29d 23h|30d 0h)$/);
});

test("strangers, however many, take no more than half of a pool, and the last resort remains (K5, G31)", async () => {
  const [victim, friend] = await world.users("victim", "friend");
  const items = [];
  for (let i = 0; i < 40; i += 1) items.push(item(await keyPackage({ identity: victim.did }), { expires: inDays(20) }));
  items.push(item(await keyPackage({ identity: victim.did, lastResort: true }), { expires: inDays(20) }));
  const { succeeded } = await victim.ok("publishKeyPackages", { keyPackages: items });
  assert.equal(succeeded, items.length);
  const strangers = await world.users(...Array.from({ length: 30 }, (_, i) => `stranger${i}`));
  // Some only ask, some use up what they get, and ask again.
  const convo = new Convo(Buffer.from(randomUUID().replaceAll("-", ""), "hex"));
  const { keyPackages: [first] } = await claim(strangers[0], victim.did);
  await strangers[0].ok("createConvo", { groupId: convo.id, cipherSuite: suite1, initialMembers: [victim.did], keyPackageHashes: [{ did: victim.did, hash: first.keyPackageHash }] });
  const regular = new Set([first.keyPackageHash]);
  for (const stranger of strangers) {
    const { keyPackages: [given] } = await claim(stranger, victim.did);
    if (!given.lastResort) regular.add(given.keyPackageHash);
  }
  assert.equal(regular.size, 20);
  const { keyPackages: [spare] } = await claim(friend, victim.did);
  assert.equal(spare.lastResort, true);
  assert.equal((await stats(victim)).available >= 20, true);
});

test("an owner who listens is told when few are left, on both kinds of stream", async () => {
  const [bob, ...others] = await world.users("bob", "alice", "carol", "dave");
  for (let made = 0; made < 6; made += 1) await bob.ok("publishKeyPackage", item(await keyPackage({ identity: bob.did })));
  const stream = new EventStream(world.server, { did: bob.did, token: (method) => bob.identity.token(method) });
  const strangers = new EventStream(world.server, { did: others[0].did, token: (method) => others[0].identity.token(method) });
  const socket = new EventSocket(bob);
  await Promise.all([stream.open(), strangers.open(), socket.open()]);
  try {
    await claim(others[0], bob.did);  // five are left
    const convo = await Convo.create(others[0], [bob]);
    await stream.untilRow(convo.id, (await convo.send(others[0])).seq);
    assert.deepEqual(stream.notices, []);
    await claim(others[1], bob.did);
    await stream.untilNotice("keyPackagesLow");
    assert.equal((await stats(bob)).needsReplenish, true);
    await convo.send(others[0]);
    await socket.untilRow(convo.id, 2);
    assert.deepEqual(socket.notices, ["keyPackagesLow"]);
    assert.deepEqual(strangers.notices, []);
  } finally {
    await Promise.all([stream.close(), strangers.close(), socket.close()]);
  }
});
