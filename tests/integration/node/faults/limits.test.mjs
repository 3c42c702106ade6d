// SPDX-License-Identifier: MIT
// Too few file descriptors, an orderly stop at full load, and a second server on the same database.
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { readdirSync } from "node:fs";
import { Agent, request } from "node:http";
import { connect } from "node:net";
import { test } from "node:test";
import { runCommand } from "../lib/command.mjs";
import { FaultServer, full } from "../lib/fault_server.mjs";
import { Load } from "../lib/load.mjs";
import { Convo, prefix } from "../lib/world.mjs";

const descriptors = 256;
const spare = 8;  // that a server may keep for itself
const connects = 1000;
const stops = full ? 20 : 3;
const senders = 6;

const start = async (t, options) => {
  const server = new FaultServer(options);
  t.after(() => server.dispose());
  return server;
};

/** A request over a connection that is kept; the status. */
const over = (agent, url, { body, ...options } = {}) => new Promise((resolve, reject) => {
  request(url, { agent, ...options }, (response) => response.resume().on("end", () => resolve(response.statusCode)))
    .on("error", reject).end(body);
});

test(`${connects} connections to a server of ${descriptors} descriptors: those that are open work on, and the rest when there is room`, async (t) => {
  const server = await start(t);
  server.wrapper = ["prlimit", `--nofile=${descriptors}`];
  await server.start();
  const alice = server.user("alice");
  const convo = await Convo.create(alice);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  const ready = `${server.url}/health/ready`;
  assert.equal(await over(agent, ready), 200);
  const { port } = new URL(server.url);
  const sockets = Array.from({ length: connects }, () => connect(Number(port), "127.0.0.1").on("error", () => {}));
  await Promise.all(sockets.map((socket) => new Promise((done) => socket.once("connect", done).once("error", done))));
  const open = readdirSync(`/proc/${server.pid}/fd`).length;
  assert.ok(open >= descriptors - spare, `it has none left: ${open}`);
  assert.equal(await over(agent, ready), 200, "an open connection is served, and so is the database behind it");
  const sent = await over(agent, `${server.url}/xrpc/${prefix}sendMessage`, {
    method: "POST", body: JSON.stringify(convo.message()),
    headers: { "content-type": "application/json", authorization: `Bearer ${await alice.identity.token(`${prefix}sendMessage`)}` },
  });
  assert.equal(sent, 200);
  for (const socket of sockets) socket.destroy();
  assert.equal((await convo.send(alice)).seq, 2);
  assert.equal((await alice.rows(convo.id)).length, 2);
  await server.stop();
});

test(`SIGTERM at full load, ${stops} times: it ends by itself, and nothing answered is lost`, async (t) => {
  const server = await start(t);
  await server.start();
  const users = Array.from({ length: senders }, (_, index) => server.user(`sender${"abcdef"[index]}`));
  const load = await Load.start(server, users);
  for (let count = 0; count < stops; count += 1) {
    await load.untilGone(randomInt(40, 160), () => server.stop(), { allows503: true });
    await server.start();
    await load.resolve();
    await load.check();
  }
  t.diagnostic(`${load.summary}; ${load.log.refused} refused while stopping`);
});

test("a second server on the same database is refused in one line, until the first is killed", async (t) => {
  const server = await start(t);
  await server.start();
  const { LD_PRELOAD, ...environment } = server.environment;
  const second = await runCommand([], { cwd: server.folder, environment });
  assert.equal(second.code, 2);
  assert.equal(second.err.length, 1);
  assert.match(second.err[0], /another process is using this database/);
  assert.ok(!second.out.includes("listening"));
  await server.kill9();
  await server.start();
  assert.equal((await server.user("alice").ok("getConvos")).conversations.length, 0);
});
