// SPDX-License-Identifier: MIT
// Thousands of slow connections against the release build: headers and bodies that drip, answers that
// nobody reads. Good clients must all be served meanwhile, the slow ones be closed, and nothing be
// left of them. Prints the good clients' p99 with and without, and the memory of a slow one.
//   node faults/slow_connections.mjs [--connections 10000]
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import { RawConnection } from "../lib/raw_http.mjs";
import { Convo, World, prefix } from "../lib/world.mjs";

const openAtOnce = 200;
const readersMax = 200;     // each fills some MB of the kernel's buffers
const dripMs = 2_000;       // one byte per connection in this time,
const dripSlices = 100;     // spread over it, as strangers would be
const goodClients = 4;
const goodRequests = 1_000;
const closedCeilingMs = 300_000;  // against hangs; the deadlines are 10 s and 30 s
const memoryGoalBytes = 16 * 1024;
const p99GoalTimes = 2;

const starts = {
  header: "POST /xrpc/blue.catbird.mls.sendMessage HTTP/1.1\r\nhost: x\r\nx-slow: ",
  body: "POST /xrpc/blue.catbird.mls.sendMessage HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n\r\n{",
  read: "GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n".repeat(1000),
};

/** The other process: holds `count` connections of a kind when told to, lets go when told to. */
async function hold(url) {
  const { hostname, port } = new URL(url);
  const sockets = new Set();
  let [slice, opened] = [0, 0];
  setInterval(() => {
    slice = (slice + 1) % dripSlices;
    for (const socket of sockets) if (socket.drips === slice && !socket.destroyed) socket.write("x");
  }, dripMs / dripSlices);
  const open = (kind) => new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => {
      socket.write(starts[kind]);
      socket.off("error", reject).on("error", () => {});
      resolve();
    });
    opened += 1;
    if (kind !== "read") socket.drips = opened % dripSlices;
    if (kind === "read") socket.pause();
    else socket.resume();
    sockets.add(socket);
    socket.on("error", reject).on("close", () => sockets.delete(socket));
  });
  process.on("message", async ({ kind, count, letGo }) => {
    if (letGo) for (const socket of sockets) socket.destroy();
    for (let begun = 0; begun < count; begun += openAtOnce) {
      await Promise.all(Array.from({ length: Math.min(openAtOnce, count - begun) }, () => open(kind)));
    }
    process.send({ done: true });
  });
  process.send({ done: true });
}

const said = (child) => new Promise((resolve, reject) => {
  child.once("message", resolve);
  child.once("exit", (code) => reject(new Error(`the holder ended with ${code}`)));
});

const memoryOf = (pid) => Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) * 1024;
const descriptorsOf = (pid) => readdirSync(`/proc/${pid}/fd`).length;
const p99 = (times) => times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)];

/** `goodRequests` by a few clients, half of them sends; all must be accepted. Milliseconds of each. */
async function goodLoad(world, alice, convo) {
  const calls = await Promise.all(Array.from({ length: goodRequests }, async (_, index) => {
    const method = index % 2 ? "sendMessage" : "getEpoch";
    const body = index % 2 ? JSON.stringify(convo.message()) : "";
    const token = await alice.identity.token(prefix + method);
    const line = index % 2 ? `POST /xrpc/${prefix}${method}` : `GET /xrpc/${prefix}${method}?convoId=${convo.id}`;
    return `${line} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
  }));
  const times = [];
  await Promise.all(Array.from({ length: goodClients }, async () => {
    const connection = await RawConnection.open(world.server.url);
    for (let call = calls.pop(); call; call = calls.pop()) {
      const began = performance.now();
      connection.send(call);
      const answer = await connection.answer();
      times.push(performance.now() - began);
      assert.equal(answer?.status, 200, `a good client is served: ${answer?.text}`);
    }
    connection.close();
  }));
  assert.equal(times.length, goodRequests);
  return times;
}

async function untilClosed(world, descriptors) {
  const deadline = Date.now() + closedCeilingMs;
  while (descriptorsOf(world.server.pid) > descriptors) {
    assert.ok(Date.now() < deadline, `slow connections are still open: ${descriptorsOf(world.server.pid) - descriptors}`);
    await new Promise((resume) => setTimeout(resume, 250));
  }
}

async function main(count) {
  const readers = Math.min(readersMax, Math.ceil(count / 50));
  const kinds = { header: Math.floor((count - readers) / 2), body: Math.ceil((count - readers) / 2), read: readers };
  const world = await World.start({ RUST_LOG: "info", MAX_CONNECTIONS: String(count + 1000) });
  const holder = fork(fileURLToPath(import.meta.url), ["hold", world.server.url]);
  try {
    await said(holder);
    const tell = (what) => { const answer = said(holder); holder.send(what); return answer; };
    const alice = await world.user("alice");
    const convo = await Convo.create(alice);
    await goodLoad(world, alice, convo);  // caches and pools are filled now
    const without = p99(await goodLoad(world, alice, convo));
    const descriptors = descriptorsOf(world.server.pid);
    const before = memoryOf(world.server.pid);

    let last = before;
    for (const [kind, many] of Object.entries(kinds)) {
      await tell({ kind, count: many });
      await fetch(`${world.server.url}/health/live`);
      const now = memoryOf(world.server.pid);
      console.log(`${many} slow connections (${kind}): ${Math.round((now - last) / many)} bytes each`);
      last = now;
    }
    const held = descriptorsOf(world.server.pid) - descriptors;
    const each = Math.round((last - before) / count);
    const beside = p99(await goodLoad(world, alice, convo));
    console.log(`${count} slow connections, ${held} held when the load began: ${each} bytes each (goal ${memoryGoalBytes}: ${each <= memoryGoalBytes ? "met" : "missed"})`);
    console.log(`good clients, ${goodRequests} requests each time, all served: p99 ${without.toFixed(1)} ms without, ${beside.toFixed(1)} ms beside them, ${(beside / without).toFixed(2)} times (goal ${p99GoalTimes}: ${beside <= p99GoalTimes * without ? "met" : "missed"})`);
    assert.ok(held > count / 2, "they were there during the load");

    await untilClosed(world, descriptors);
    const after = memoryOf(world.server.pid);
    // Again and again, and now it is they who hang up.
    const again = [];
    for (let times = 0; times < 3; times += 1) {
      await tell({ letGo: true });
      for (const [kind, many] of Object.entries(kinds)) await tell({ kind, count: many });
      await tell({ letGo: true });
      await untilClosed(world, descriptors);
      again.push(memoryOf(world.server.pid));
    }
    const mebibytes = (bytes) => (bytes / 2 ** 20).toFixed(1);
    console.log(`resident: ${mebibytes(before)} MiB before, ${mebibytes(last)} with them, ${mebibytes(after)} after, ${again.map(mebibytes).join(", ")} after as many again`);
    assert.ok(again.at(-1) <= again[0] * 1.1 + 8 * 2 ** 20, "the process does not grow from one time to the next");
    await goodLoad(world, alice, convo);
    console.log("all slow connections closed, good clients served before, beside and after them");
  } finally {
    holder.removeAllListeners("exit");
    holder.kill();
    await world.end();
  }
}

if (process.argv[2] === "hold") await hold(process.argv[3]);
else await main(Number(process.argv[process.argv.indexOf("--connections") + 1] || 10_000) || 10_000);
