// SPDX-License-Identifier: MIT
// getSubscriptionTicket and subscribeConvoEvents: the log over a WebSocket, in frames that every
// generation of clients decodes; resumed by cursor; ended where the membership ends.
import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { Subscription } from "@atproto/xrpc-server";
import { EventSocket, nsid } from "./lib/event_socket.mjs";
import { EventStream } from "./lib/event_stream.mjs";
import { newSigner } from "./lib/handmade.mjs";
import { Convo, World, base64, bytesOf } from "./lib/world.mjs";

let world;
const open = [];
before(async () => { world = await World.start(); });
after(async () => {
  await Promise.all(open.map((socket) => socket.close()));
  await world?.end();
});

async function follow(user, { convo, cursor, parameters, headers } = {}) {
  const socket = new EventSocket(user, convo?.id);
  if (cursor) socket.cursor = cursor;
  open.push(socket);
  return socket.open(parameters, headers);
}

const asListed = ({ ciphertext, ...row }) => ({ ...row, ciphertext: { $bytes: Buffer.from(ciphertext).toString("base64") } });
const seqs = (socket) => socket.rows.map(({ seq }) => seq);

test("events are what getMessages shows, commits included, bytes as bytes", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const convo = await Convo.create(alice, [bob]);
  await convo.send(alice);
  const socket = await follow(bob);
  await convo.send(alice);
  await convo.commitOnly(bob);
  await convo.send(bob);
  await socket.untilRow(convo.id, 4);
  assert.deepEqual(socket.rows.map(asListed), (await bob.rows(convo.id)).slice(1), "from now on");
  assert.deepEqual(socket.rows.map(({ messageType }) => messageType), ["app", "commit", "app"]);
  const [message] = await alice.rows(convo.id);
  assert.ok(bytesOf(message.ciphertext).length > 0);
});

test("new conversations come in by themselves; other people's do not", async () => {
  const [alice, bob, carol] = await world.users("alice", "bob", "carol");
  const socket = await follow(bob);
  const later = await Convo.create(alice, [bob]);
  const foreign = await Convo.create(alice, [carol]);
  await foreign.send(alice);
  await later.send(alice);
  await socket.untilRow(later.id, 1);
  assert.deepEqual(socket.rows.map(({ convoId }) => convoId), [later.id]);
});

test("from any cursor exactly what came after it, also over a restart", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const convo = await Convo.create(alice, [bob]);
  const first = await follow(bob);
  for (let count = 0; count < 4; count += 1) await (count === 2 ? convo.commitOnly(alice) : convo.send(alice));
  await first.untilRow(convo.id, 4);
  for (const [index, { cursor }] of first.events.slice(0, 4).entries()) {
    const again = await follow(bob, { cursor });
    await convo.send(alice);
    const last = (await bob.rows(convo.id)).at(-1).seq;
    await again.untilRow(convo.id, last);
    assert.deepEqual(seqs(again), Array.from({ length: last - index - 1 }, (_, step) => index + 2 + step));
    await again.close();
  }
  await first.close();
  await world.restart();
  await convo.send(alice);
  const back = await follow(bob, { cursor: first.cursor });
  const last = (await bob.rows(convo.id)).at(-1).seq;
  await back.untilRow(convo.id, last);
  assert.deepEqual([...seqs(first), ...seqs(back)], Array.from({ length: last }, (_, index) => index + 1), "no gap, nothing twice");
});

test("a cursor of another server is said to be old, and the stream goes on from now", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const convo = await Convo.create(alice, [bob]);
  await convo.send(alice);
  for (const cursor of ["01KAZZZZZZZZZZZZZZZZZZZZZ0", "x", "elsewhere-0000000000000001"]) {
    const socket = await follow(bob, { cursor });
    await socket.until("the notice", () => socket.events.length > 0);
    const { seq } = await convo.send(alice);
    await socket.untilRow(convo.id, seq);
    assert.deepEqual(socket.notices, ["outdated-cursor"]);
    assert.deepEqual(seqs(socket), [seq]);
  }
});

test("a ticket opens one socket, whoever else tries", async () => {
  const bob = await world.user("bob");
  const { ticket, endpoint, expiresAt } = await bob.ok("getSubscriptionTicket", {});
  assert.match(endpoint, new RegExp(`^wss?://.*/xrpc/${nsid.replaceAll(".", "\\.")}$`));
  const left = Date.parse(expiresAt) - Date.now();
  assert.ok(left > 0 && left <= 30_000, `${left}`);
  const tries = await Promise.allSettled(Array.from({ length: 5 }, () => {
    const socket = new EventSocket(bob);
    open.push(socket);
    return socket.connect({ ticket });
  }));
  assert.equal(tries.filter(({ status }) => status === "fulfilled").length, 1);
  assert.deepEqual(tries.filter(({ status }) => status === "rejected").map(({ reason }) => reason.status), [401, 401, 401, 401]);
  for (const parameters of [{}, { ticket: "" }, { ticket: "x" }, { ticket: randomBytes(32).toString("base64url") }]) {
    await assert.rejects(new EventSocket(bob).connect(parameters), { status: 401 });
  }
});

test("without an upgrade the ticket is not used up, and what stands in Authorization is ignored", async () => {
  const bob = await world.user("bob");
  const socket = new EventSocket(bob);
  open.push(socket);
  const { ticket } = await bob.ok("getSubscriptionTicket", {});
  const plain = await fetch(socket.url({ ticket }).replace("ws", "http"), { headers: { authorization: "DPoP something" } });
  assert.deepEqual([plain.status, plain.headers.get("upgrade"), (await plain.json()).error], [426, "websocket", "InvalidRequest"]);
  await socket.connect({ ticket }, { authorization: "DPoP something" });
});

test("a ticket for one conversation shows that one; the stream ends where the membership ends", async () => {
  const [alice, bob, eve] = await world.users("alice", "bob", "eve");
  const [one, other] = [await Convo.create(alice, [bob]), await Convo.create(alice, [bob])];
  await eve.refused("getSubscriptionTicket", { convoId: one.id }, 403, "NotMember");
  const { ticket } = await bob.ok("getSubscriptionTicket", { convoId: one.id });
  await assert.rejects(new EventSocket(bob).connect({ ticket, convoId: other.id }), { status: 403 });
  const socket = await follow(bob, { convo: one });
  const everything = await follow(bob);
  await other.send(alice);
  await one.send(alice);
  await one.remove(alice, bob);
  await one.send(alice);
  await socket.untilClosed();
  assert.deepEqual(seqs(socket), [1, 2], "up to the row that removed it");
  assert.deepEqual(socket.notices, ["removed"]);
  assert.deepEqual(socket.closed, { code: 1008, reason: "removed" });
  await other.send(alice);
  await everything.untilRow(other.id, 2);
  assert.deepEqual(everything.rows.filter(({ convoId }) => convoId === one.id).map(({ seq }) => seq), [1, 2]);
});

test("the reference decoder reads the stream", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const convo = await Convo.create(alice, [bob]);
  const { ticket } = await bob.ok("getSubscriptionTicket", {});
  const abort = new AbortController();
  const subscription = new Subscription({ service: world.server.url.replace("http", "ws"), method: nsid, signal: abort.signal, getParams: () => ({ ticket }), validate: (value) => value });
  const events = [];
  const reading = (async () => {
    for await (const event of subscription) {
      events.push(event);
      if (events.length === 3) break;
    }
  })();
  await new Promise((resume) => setTimeout(resume, 300));  // the iterator connects by itself; what follows is found by its cursor anyway
  while (events.length < 3) {
    await convo.send(alice);
    await new Promise((resume) => setTimeout(resume, 50));
  }
  await reading;
  abort.abort();
  for (const event of events) assert.equal(event.$type, `${nsid}#messageEvent`);
  assert.deepEqual(events.map(({ message }) => message.seq), [1, 2, 3].map((step) => events[0].message.seq + step - 1));
});

test("pings are answered, messages of the client dropped, nonsense is closed with its code", async () => {
  const bob = await world.user("bob");
  const socket = await follow(bob);
  const pong = new Promise((resolve) => socket.socket.on("pong", (data) => resolve(String(data))));
  socket.socket.send(JSON.stringify({ type: "typing", convoId: randomUUID(), isTyping: true }));
  socket.socket.send(randomBytes(1000));
  socket.socket.ping("are you there");
  assert.equal(await pong, "are you there");
  socket.socket.send(Buffer.alloc(65 * 1024));
  await socket.untilClosed();
  assert.equal(socket.closed.code, 1009);

  const raw = await rawSocket(bob);
  raw.write(Buffer.of(0x81, 0x01, 0x41));  // a text frame that is not masked
  assert.deepEqual([...(await raw.answer).subarray(-4)], [0x88, 0x02, 0x03, 0xea]);
});

/** A connection upgraded by hand; `answer` is all that comes until its end. */
async function rawSocket(user) {
  const { ticket } = await user.ok("getSubscriptionTicket", {});
  const { hostname, port } = new URL(world.server.url);
  const socket = connect(Number(port), hostname);
  socket.write(`GET /xrpc/${nsid}?ticket=${ticket} HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r\n\r\n`);
  const chunks = [];
  const upgraded = new Promise((resolve) => socket.on("data", (chunk) => { chunks.push(chunk); resolve(); }));
  const answer = new Promise((resolve) => socket.on("close", () => resolve(Buffer.concat(chunks))));
  socket.on("end", () => socket.end());
  socket.on("error", () => socket.destroy());
  await upgraded;
  assert.match(String(chunks[0]), /^HTTP\/1\.1 101 /);
  return { write: (bytes) => socket.write(bytes), answer };
}

test("a removed device hears no more, by sockets and streams, and its tickets are void; others go on", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const convo = await Convo.create(alice, [bob]);
  const { deviceId } = await bob.ok("registerDevice", { deviceName: "lost", deviceUUID: randomUUID(), keyPackages: [], signaturePublicKey: { $bytes: base64((await newSigner()).publicKey) } });
  const lost = bob.on(deviceId);
  const [of, other] = [await follow(lost), await follow(bob)];
  const stream = new EventStream(world.server, { did: bob.did, token: (method) => lost.identity.token(method) });
  await stream.open();
  await convo.send(alice);
  await of.untilRow(convo.id, 1);
  await stream.until(1);
  const { ticket } = await lost.ok("getSubscriptionTicket", {});
  await bob.ok("deleteDevice", { deviceId });
  await of.untilClosed();
  assert.equal(of.closed.code, 1008);
  await stream.untilEnded();
  assert.equal(stream.events.at(-1).reason, "device-removed");
  await convo.send(alice);
  await other.untilRow(convo.id, 2);
  assert.ok(of.rows.every(({ seq }) => seq < 2));
  await assert.rejects(new EventSocket(bob).connect({ ticket }), ({ status }) => status === 401);
});

test("when the server stops, sockets are told to go", async () => {
  const bob = await world.user("bob");
  const socket = await follow(bob);
  await world.server.stop();
  await socket.untilClosed();
  assert.equal(socket.closed.code, 1001);
  await world.server.start();
});
