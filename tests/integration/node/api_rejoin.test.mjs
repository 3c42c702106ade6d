// SPDX-License-Identifier: MIT
// External commits are limited (docs/adr/0019): being behind never forces one, so a storm of them is a
// mistake of clients, and other members must not pay for it.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { externalCommit, newSigner } from "./lib/handmade.mjs";
import { Convo, World, base64 } from "./lib/world.mjs";

let world;
before(async () => { world = await World.start({ RATE_LIMIT_EXTERNAL_COMMIT: "5" }); });
after(() => world?.end());

/** What a device sends to come back by itself. */
async function comeback(user, convo, device) {
  const commit = await externalCommit({ ...convo.where, identity: `${user.did}#${device}` });
  return { convoId: convo.id, externalCommit: base64(commit) };
}

test("a device that came back waits before it does so again, and its retry is answered", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const convo = await Convo.create(alice, [bob]);
  const phone = bob.on("phone");
  const input = await comeback(bob, convo, "phone");
  const first = await phone.ok("processExternalCommit", input);
  convo.epoch += 1;
  assert.deepEqual(await phone.ok("processExternalCommit", input), first, "the same commit again");

  const again = await phone.call("processExternalCommit", await comeback(bob, convo, "phone"));
  assert.equal(`${again.status} ${again.body.error}`, "429 RateLimitExceeded");
  const wait = Number(again.retryAfter);
  assert.ok(wait > 30 && wait <= 60, `Retry-After ${again.retryAfter}`);
  assert.equal(await alice.epochOf(convo.id), convo.epoch, "nothing happened");
  const other = await alice.on("laptop").call("processExternalCommit", await comeback(alice, convo, "laptop"));
  assert.equal(other.status, 429, "nor may another device just then");
  assert.ok(Number(other.retryAfter) <= 30);

  const elsewhere = await Convo.create(alice, [bob]);
  await phone.ok("processExternalCommit", await comeback(bob, elsewhere, "phone"));
  await convo.send(alice);
});

test("a device that has just registered always comes in, once", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const convo = await Convo.create(alice, [bob]);
  await alice.on("laptop").ok("processExternalCommit", await comeback(alice, convo, "laptop"));
  convo.epoch += 1;
  const signer = await newSigner();
  const { deviceId } = await bob.ok("registerDevice",
    { deviceName: "new", deviceUUID: randomUUID(), keyPackages: [], signaturePublicKey: { $bytes: base64(signer.publicKey) } });
  const phone = bob.on(deviceId);
  await phone.ok("processExternalCommit", await comeback(bob, convo, deviceId));
  convo.epoch += 1;
  const again = await phone.call("processExternalCommit", await comeback(bob, convo, deviceId));
  assert.equal(again.status, 429);
});

test("strangers do not hear that others come and go", async () => {
  const [alice, stranger] = await world.users("alice", "stranger");
  const convo = await Convo.create(alice);
  const before = await stranger.call("processExternalCommit", await comeback(stranger, convo, "x"));
  await alice.on("laptop").ok("processExternalCommit", await comeback(alice, convo, "laptop"));
  convo.epoch += 1;
  const after = await stranger.call("processExternalCommit", await comeback(stranger, convo, "x"));
  assert.deepEqual(after, before);
  assert.equal(after.status, 403);
});
