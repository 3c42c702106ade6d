// SPDX-License-Identifier: MIT
// What the operator does to users with the program's own commands, while the server runs: suspends, lifts,
// erases; and that each is on record.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { EventSocket } from "./lib/event_socket.mjs";
import { EventStream } from "./lib/event_stream.mjs";
import { keyPackage, newSigner } from "./lib/handmade.mjs";
import { serverBinary } from "./lib/server.mjs";
import { Convo, World, base64, suite1 } from "./lib/world.mjs";

const run = promisify(execFile);
const inDays = (days) => new Date(Date.now() + days * 86_400_000).toISOString();
let world;
const open = [];
before(async () => { world = await World.start(); });
after(async () => {
  await Promise.all(open.map((stream) => stream.close()));
  await world?.end();
});

const command = async (...words) => {
  const { server } = world;
  const { stdout } = await run(serverBinary(), words, { cwd: server.folder, env: server.environment, encoding: "utf8" });
  return stdout.trim();
};
const refusedCommand = async (...words) => {
  const failure = await command(...words).then(() => assert.fail(`${words} was taken`), (error) => error);
  assert.equal(failure.code, 2);
  return failure.stderr.trim();
};

test("a suspended user is refused everywhere, its streams end, and others go on; lifted, it is back", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const convo = await Convo.create(alice, [bob]);
  const stream = new EventStream(world.server, bob.identity);
  const socket = new EventSocket(bob);
  open.push(stream, socket);
  await stream.open();
  await socket.open();
  const { ticket } = await bob.ok("getSubscriptionTicket", {});
  assert.equal(await command("suspend", bob.did, "--reason", "spam"), "suspended");

  for (const [method, input] of [["getConvos", {}], ["sendMessage", convo.message()], ["leaveConvo", { convoId: convo.id }], ["optIn", {}]]) {
    const { status, body } = await bob.call(method, input);
    assert.equal(`${status} ${body.error}`, "403 AccountTakedown", method);
  }
  await stream.untilEnded();
  assert.equal(stream.events.at(-1).reason, "suspended");
  await socket.untilClosed();
  assert.equal(socket.closed.code, 1008);
  await assert.rejects(new EventSocket(bob).connect({ ticket }), ({ status }) => status === 401);
  await convo.send(alice);

  await world.restart();
  assert.equal((await bob.call("getConvos")).status, 403, "over a restart");
  assert.equal(await command("lift", bob.did, "--reason", "appeal"), "the suspension is lifted");
  assert.equal((await bob.rows(convo.id)).length, 1, "nothing was lost");
  assert.match(await refusedCommand("lift", bob.did, "--reason", "again"), /not suspended/);
});

test("an erased user is out of every conversation and nothing of it is left beside them; it may come anew", async () => {
  const [alice, bob, carol] = await world.users("alice", "bob", "carol");
  const convos = [await Convo.create(alice, [bob, carol]), await Convo.create(bob, [alice])];
  const signer = await newSigner();
  const made = await keyPackage({ identity: bob.did, signer });
  const { deviceId } = await bob.ok("registerDevice", { deviceName: "phone", deviceUUID: randomUUID(), signaturePublicKey: { $bytes: base64(signer.publicKey) },
    keyPackages: [{ keyPackage: base64(made.bytes), cipherSuite: suite1, expires: inDays(20) }] });
  await bob.publish();
  await bob.ok("registerDeviceToken", { deviceId, pushToken: world.secret(`token-${randomUUID()}`), platform: "ios" });
  await bob.ok("optIn", {});
  await carol.publish();
  await bob.ok("sendChatRequest", { recipientDid: carol.did, previewText: "hello" });
  await convos[0].send(bob);

  assert.match(await command("erase", bob.did, "--reason", "asked for it"), /^erased: left 2 conversations, 1 devices removed$/);
  for (const convo of convos) {
    const { members } = await alice.viewOf(convo.id);
    assert.ok(!members.some(({ did }) => did === bob.did));
    await bob.refused("sendMessage", convo.message(), 403, "NotMember");
    await convo.send(alice);
  }
  assert.deepEqual((await bob.ok("listDevices")).devices, []);
  assert.deepEqual((await alice.ok("getKeyPackages", { dids: [bob.did] })).missing, [bob.did]);
  assert.deepEqual((await alice.ok("getOptInStatus", { dids: [bob.did] })).statuses.map(({ optedIn }) => optedIn), [false]);
  assert.deepEqual((await carol.ok("listChatRequests")).requests, []);
  assert.equal((await alice.rows(convos[0].id)).length, 2, "what was said stays");
  await convos[0].add(alice, [bob]);
  assert.equal(await command("erase", carol.did, "--reason", "also"), "erased: left 1 conversations, 0 devices removed");
});

test("orders are on record and held to their form", async () => {
  const [user] = await world.users("dora");
  await command("suspend", user.did, "--reason", "first");
  const acts = (await command("acts")).split("\n");
  assert.ok(acts.some((line) => line.startsWith("suspended since ") && line.endsWith(`${user.did} (first)`)), acts.join("\n"));
  assert.ok(acts.some((line) => line.endsWith(` suspend ${user.did} (first): done`)));
  assert.match(await refusedCommand("suspend", "nobody", "--reason", "x"), /not a DID/);
  assert.match(await refusedCommand("suspend", user.did, "--reason", "two\nlines"), /one line/);
  await assert.rejects(command("suspend", user.did), ({ code }) => code === 2, "a reason is needed");
});
