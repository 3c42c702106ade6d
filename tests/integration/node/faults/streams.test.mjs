// SPDX-License-Identifier: MIT
// Thousands listen, the server is killed under them, all come back with their cursors: each hears every
// row once and in order, whatever of it was on the way when the server died (L2, L3).
import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { request } from "node:http";
import { test } from "node:test";
import { Directory, Identity } from "../lib/directory.mjs";
import { applicationFrame, privateCommit } from "../lib/handmade.mjs";
import { Server } from "../lib/server.mjs";
import { claimsOf, hmacToken } from "../lib/tokens.mjs";

const full = process.env.CATBIRD_FAULTS === "full";
const streamsPerUser = 20;  // the server's limit
const users = 100;
const cycles = full ? 10 : 2;
const rowsPerPhase = 12;
const ceilingMs = 240_000;  // against hangs; not a measurement
const prefix = "blue.catbird.mls.";
const secret = "a-secret-for-tests-of-streams-0123456789";
const pause = (ms) => new Promise((resume) => setTimeout(resume, ms));

async function until(what, reached) {
  const deadline = Date.now() + ceilingMs;
  while (!reached()) {
    if (Date.now() > deadline) throw new Error(`${what}: not within ${ceilingMs} ms`);
    await pause(20);
  }
}

/** One listener: reconnects by itself, from its last cursor, until closed. */
class Listener {
  rows = [];  // [conversation, number]
  problems = [];
  connections = 0;
  connected = false;
  #closed = false;
  #request;

  constructor(server, identity) {
    Object.assign(this, { server, identity });
    this.#connect();
  }

  close() {
    this.#closed = true;
    this.#request.destroy();
  }

  #connect() {
    const token = hmacToken(claimsOf(this.identity, `${prefix}streamConvoEvents`), secret);
    const query = this.cursor ? `?cursor=${encodeURIComponent(this.cursor)}` : "";
    this.#request = request(`${this.server.url}/xrpc/${prefix}streamConvoEvents${query}`, { agent: false, headers: { authorization: `Bearer ${token}` } });
    let over = false;
    const again = () => {
      if (over) return;
      over = true;
      this.connected = false;
      if (!this.#closed) setTimeout(() => this.#connect(), 20 + Math.random() * 200);
    };
    this.#request.on("error", again);
    this.#request.on("response", (response) => {
      if (response.statusCode !== 200) response.resume();  // 503 while the server begins
      else this.#read(response);
      response.on("close", again);
      response.on("error", again);
    });
    this.#request.end();
  }

  #read(response) {
    this.connections += 1;
    let text = "";
    response.setEncoding("utf8");
    response.on("data", (chunk) => {
      this.connected = true;
      const blocks = (text + chunk).split("\n\n");
      text = blocks.pop();
      for (const block of blocks) if (block.startsWith("data: ")) this.#take(JSON.parse(block.slice(6)));
    });
  }

  #take({ type, cursor, message, reason, convoId }) {
    this.cursor = cursor;
    if (type === "messageEvent") this.rows.push([message.convoId, message.seq]);
    else if (!convoId) this.problems.push(reason);
  }

  last(convo) {
    return this.rows.findLast(([id]) => id === convo.id)?.[1] ?? 0;
  }
}

/** A conversation and the one that writes in it. Whatever happens to an answer, it asks again. */
class Writer {
  epoch = 0;
  seq = 0;

  constructor(server, identity) {
    Object.assign(this, { server, identity, groupId: randomBytes(16) });
    this.id = this.groupId.toString("hex");
  }

  async call(method, input) {
    const body = JSON.stringify(input);
    const deadline = Date.now() + ceilingMs;
    for (;;) {
      const token = hmacToken(claimsOf(this.identity, prefix + method), secret);
      try {
        const response = await fetch(`${this.server.url}/xrpc/${prefix}${method}`, {
          method: "POST", body, headers: { "content-type": "application/json", authorization: `Bearer ${token}` }, signal: AbortSignal.timeout(30_000),
        });
        const answer = await response.json();
        if (response.status === 200) return answer;
        assert.equal(response.status, 503, `${method}: ${response.status} ${JSON.stringify(answer)}`);
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
      }
      assert.ok(Date.now() < deadline, `${method} was never answered`);
      await pause(100);
    }
  }

  async create(members) {
    await this.call("createConvo", { groupId: this.id, cipherSuite: "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519", idempotencyKey: randomUUID(), initialMembers: members.map(({ did }) => did) });
  }

  async write() {
    const where = { groupId: this.groupId, epoch: this.epoch };
    if (this.seq % 5 === 4) {
      const { newEpoch } = await this.call("addMembers", { convoId: this.id, didList: [], idempotencyKey: randomUUID(), commit: privateCommit(where).toString("base64") });
      this.epoch = newEpoch;
      this.seq += 1;
    } else {
      const frame = applicationFrame(where);
      ({ seq: this.seq } = await this.call("sendMessage", { convoId: this.id, msgId: randomUUID(), epoch: this.epoch, paddedSize: frame.length, ciphertext: { $bytes: frame.toString("base64") } }));
    }
  }
}

test(`${users * streamsPerUser} listeners, killed ${cycles} times: every row once, in order, no gap`, async (t) => {
  const directory = await Directory.start();
  const server = new Server(directory.url, { JWT_SECRET: secret, ENABLE_BLOCK_CHECKS: "false" });
  const listeners = [];
  t.after(async () => {
    for (const listener of listeners) listener.close();
    await server.dispose();
    await directory.close();
  });
  await server.start();
  const people = await Promise.all(Array.from({ length: users }, (_, i) => Identity.create(`user${i}`)));
  const writers = [new Writer(server, people[0]), new Writer(server, people[1])];
  for (const writer of writers) await writer.create(people);
  for (const identity of people) for (let i = 0; i < streamsPerUser; i += 1) listeners.push(new Listener(server, identity));
  await until("all listen", () => listeners.every(({ connected }) => connected));

  const writeSome = () => Promise.all(writers.map(async (writer) => {
    for (let i = 0; i < rowsPerPhase; i += 1) await writer.write();
  }));
  const allHaveHeard = () => listeners.every((listener) => writers.every((writer) => listener.last(writer) >= writer.seq));
  await writeSome();
  await until("all hear the first rows", allHaveHeard);
  for (let cycle = 0; cycle < cycles; cycle += 1) {
    const writing = writeSome();
    const some = listeners[cycle * 7];
    const heard = some.rows.length;
    await until("a row on its way", () => some.rows.length > heard);
    await server.kill9();
    await server.start();
    await writing;
    await until(`all hear everything after kill ${cycle + 1}`, allHaveHeard);
  }

  let reconnected = 0;
  for (const listener of listeners) {
    assert.deepEqual(listener.problems, []);
    for (const writer of writers) {
      const seqs = listener.rows.filter(([id]) => id === writer.id).map(([, seq]) => seq);
      assert.deepEqual(seqs, Array.from({ length: writer.seq }, (_, i) => i + 1));
    }
    reconnected += listener.connections - 1;
  }
  assert.ok(reconnected >= listeners.length * cycles);
  t.diagnostic(`${listeners.length} listeners, ${reconnected} reconnections, ${writers.reduce((sum, { seq }) => sum + seq, 0)} rows each`);
});
