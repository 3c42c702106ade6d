// SPDX-License-Identifier: MIT
// Start-up and commands: wrong configuration is one line and exit code 2, two servers never share a
// database, and backup and restore bring everything back.
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { runCommand } from "./lib/command.mjs";
import { EventStream } from "./lib/event_stream.mjs";
import { Convo, World, prefix } from "./lib/world.mjs";

let folder;
before(() => { folder = mkdtempSync(join(tmpdir(), "catbird-config-")); });
after(() => rmSync(folder, { recursive: true, force: true }));

let databases = 0;
const settings = (extra) => ({
  DATABASE_URL: `sqlite:${join(folder, `${databases += 1}.db`)}`, SERVER_PORT: "0", SERVICE_DID: "did:web:catbird.test", ...extra,
});

function assertRefused({ code, signal, err }, named, what) {
  assert.equal(`${code} ${signal}`, "2 null", `${what}: ${err.join("\n")}`);
  assert.equal(err.length, 1, `${what}: ${err.join("\n")}`);
  assert.match(err[0], named, what);
}

const secret = "0123456789abcdef0123456789abcdef";
const wrong = {
  DATABASE_URL: ["postgresql://127.0.0.1:1/catbird", "mysql://x", "sqlite:", "catbird.db", "sqlite:/proc/nowhere/catbird.db", "sqlite:/dev/null/catbird.db"],
  ENABLE_ACTOR_SYSTEM: ["maybe", "TRUE ", "off"],
  SERVICE_DID: ["", "catbird.test", "did:key:z6Mk", "did:web:", "did:plc:short"],
  ENFORCE_LXM: ["false", "0", "no", "never"],
  ENFORCE_JTI: ["false", "0", "perhaps"],
  ENABLE_DIRECT_XRPC_PROXY: ["true", "1", "x"],
  SERVER_PORT: ["65536", "-1", "http", "3000x", "1e3"],
  SERVER_HOST: ["not an address", "999.1.1.1", "192.0.2.1"],
  TRUSTED_PROXY_CIDRS: ["10.0.0.0/33", "everyone", "::/129"],
  CATBIRD_DEV: ["maybe"],
  ENABLE_METRICS: ["perhaps"],
  METRICS_CONVO_LABELS: ["2"],
  SSE_BUFFER_SIZE: ["0", "-5", "many"],
  MAX_CONNECTIONS: ["0", "x"],
  ACTOR_IDLE_TIMEOUT_SECONDS: ["0", "soon"],
  ACTOR_MEMORY_MB: ["1", "x"],
  CATBIRD_WORKERS: ["0", "257"],
  CATBIRD_READERS: ["0", "65"],
  DID_RESOLUTION_TIMEOUT_SECONDS: ["0", "11"],
  RATE_LIMIT_SEND_MESSAGE: ["-1", "many", "1.5"],
  RATE_LIMIT_GET_MESSAGES: ["x"], RATE_LIMIT_READ_STATE: ["x"], RATE_LIMIT_PUBLISH_KEY_PACKAGE: ["x"],
  RATE_LIMIT_CLAIM_KEY_PACKAGE: ["x"], RATE_LIMIT_ADD_MEMBERS: ["x"], RATE_LIMIT_CREATE_CONVO: ["x"],
  RATE_LIMIT_REGISTER_DEVICE: ["x"], RATE_LIMIT_SYNC_KEY_PACKAGES: ["x"], RATE_LIMIT_REPORT_MEMBER: ["x"], RATE_LIMIT_CHECK_BLOCKS: ["x"],
  RATE_LIMIT_EXTERNAL_COMMIT: ["65", "x"], ENABLE_BLOCK_CHECKS: ["maybe"], MAX_DEVICES_PER_USER: ["0", "101", "x"],
  RATE_LIMIT_DID_DEFAULT: ["x"], RATE_LIMIT_DID_MAX_KEYS: ["1"], RATE_LIMIT_DID_BUCKET_TTL_SECONDS: ["1"], RATE_LIMIT_IP_PER_MINUTE: ["x"],
};

for (const [name, values] of Object.entries(wrong)) {
  test(`${name}: a value that cannot be used is one line and exit code 2`, async () => {
    for (const value of values) {
      // Some are named by their value: a path, an address, a block.
      const named = value.startsWith("sqlite:/") || ["SERVER_HOST", "TRUSTED_PROXY_CIDRS"].includes(name) ? /\S \S/ : new RegExp(`\\b${name}\\b`);
      assertRefused(await runCommand([], { cwd: folder, environment: settings({ [name]: value }) }), named, `${name}=${value}`);
    }
  });
}

test("a short JWT_SECRET is refused in development, and without it the secret is unused", async () => {
  assertRefused(await runCommand([], { cwd: folder, environment: settings({ CATBIRD_DEV: "true", JWT_SECRET: "short" }) }), /JWT_SECRET/, "short");
  const token = await runCommand(["token", "--did", "did:web:a.test", "--lxm", "x"], { cwd: folder, environment: settings({ JWT_SECRET: secret }) });
  assertRefused(token, /CATBIRD_DEV/, "no development");
});

test("wrong arguments are exit code 2, help and version 0", async () => {
  const run = (...args) => runCommand(args, { cwd: folder, environment: settings() });
  for (const args of [["nonsense"], ["--nonsense"], ["token"], ["backup"], ["restore"], ["--env-file", "/nowhere/env"], ["token", "--did", "x", "--lxm", "y", "--ttl", "301"]]) {
    const { code, err } = await run(...args);
    assert.equal(code, 2, args.join(" "));
    assert.ok(err.length > 0);
  }
  const help = await run("--help");
  assert.equal(help.code, 0);
  for (const word of ["token", "healthcheck", "backup", "restore", "SERVICE_DID", "DATABASE_URL"]) assert.match(help.out, new RegExp(word));
  assert.equal((await run("--version")).code, 0);
});

test("a file that is no database, and a folder that cannot be written, are refused", async () => {
  const path = join(folder, "garbage.db");
  writeFileSync(path, "this is no database, but it is long enough to look at".repeat(100));
  writeFileSync(`${path}.secret`, "x".repeat(32));
  const garbage = await runCommand([], { cwd: folder, environment: settings({ DATABASE_URL: `sqlite:${path}` }) });
  assert.equal(garbage.code, 2);
  assert.equal(garbage.err.length, 1);
  assert.match(readFileSync(path, "utf8"), /^this is no database/);
});

test("a port that is taken is refused", async (t) => {
  const other = createServer();
  await new Promise((done) => other.listen(0, "127.0.0.1", done));
  t.after(() => other.close());
  const port = String(other.address().port);
  assertRefused(await runCommand([], { cwd: folder, environment: settings({ SERVER_PORT: port }) }), new RegExp(port), "port");
});

test("one database has one server; a lost secret file stops the start", async (t) => {
  const world = await World.start();
  t.after(() => world.end());
  const { environment } = world.server;
  assertRefused(await runCommand([], { cwd: folder, environment }), /./, "second server");
  const alice = await world.user("alice");
  await Convo.create(alice);
  const path = environment.DATABASE_URL.slice("sqlite:".length);
  assert.equal(statSync(`${path}.secret`).mode & 0o777, 0o600);
  await world.server.stop();
  const kept = readFileSync(`${path}.secret`);
  rmSync(`${path}.secret`);
  assertRefused(await runCommand([], { cwd: folder, environment }), /secret/i, "no secret");
  writeFileSync(`${path}.secret`, "");
  assertRefused(await runCommand([], { cwd: folder, environment }), /secret/i, "empty secret");
  writeFileSync(`${path}.secret`, kept);
  chmodSync(`${path}.secret`, 0o600);
  await world.server.start();
  assert.equal((await alice.ok("getConvos")).conversations.length, 1);
});

test("token mints a development token that works once; healthcheck tells whether the server is ready", async (t) => {
  const world = await World.start({ JWT_SECRET: secret });
  t.after(() => world.end());
  const { port } = new URL(world.server.url);
  const environment = { ...world.server.environment, SERVER_PORT: port };
  const run = (...args) => runCommand(args, { cwd: folder, environment });
  const mint = async () => {
    const { code, out } = await run("token", "--did", "did:web:alice.example#phone", "--lxm", `${prefix}getConvos`, "--ttl", "60");
    assert.equal(code, 0);
    return world.secret(out.trim());
  };
  const use = async (token) => (await fetch(`${world.server.url}/xrpc/${prefix}getConvos`, { headers: { authorization: `Bearer ${token}` } })).status;
  let [token, status] = ["", 503];
  // 503: minted in the second of the server's start, when it could still be a replay.
  for (let tries = 0; status === 503 && tries < 100; tries += 1) status = await use(token = await mint());
  assert.equal(status, 200);
  assert.equal(await use(token), 401);
  const healthy = await run("healthcheck");
  assert.equal(healthy.code, 0);
  assert.equal(JSON.parse(healthy.out).ready, true);
  await world.server.stop();
  assert.equal((await run("healthcheck")).code, 1);
  await world.server.start();
});

test("a backup of the running server is put back whole; old cursors are told", async (t) => {
  const world = await World.start();
  t.after(() => world.end());
  const [alice, bob] = await world.users("alice", "bob");
  const convo = await Convo.create(alice, [bob]);
  const stream = new EventStream(world.server, bob.identity, convo.id);
  await stream.open();
  const { input, ...answer } = await convo.send(alice);
  await convo.commitOnly(bob, { groupInfo: (await convo.groupInfo(1)).toString("base64") });
  await stream.until(2);
  await stream.close();
  const { environment } = world.server;
  const run = (...args) => runCommand(args, { cwd: folder, environment });
  mkdirSync(join(folder, "backups"));
  const path = join(folder, "backups", "one.db");
  assert.equal((await run("backup", path)).code, 0);
  assert.equal(statSync(`${path}.secret`).mode & 0o077, 0);
  const kept = { rows: await alice.rows(convo.id), view: await alice.viewOf(convo.id), unread: await bob.unread(convo.id) };
  await convo.send(alice);

  assertRefused(await run("restore", path), /./, "while the server runs");
  await world.server.stop();
  assertRefused(await run("restore", path), /./, "over an existing database");
  assertRefused(await run("restore", join(folder, "nothing.db"), "--replace"), /./, "from nothing");
  assert.equal((await run("restore", path, "--replace")).code, 0);
  await world.server.start();

  assert.deepEqual({ rows: await alice.rows(convo.id), view: await alice.viewOf(convo.id), unread: await bob.unread(convo.id) }, kept);
  assert.deepEqual(await alice.ok("sendMessage", input), answer, "records of requests are in it");
  const again = new EventStream(world.server, bob.identity, convo.id);
  again.cursor = stream.cursor;
  await again.open();
  const { seq } = await convo.send(alice);
  await again.until(seq);
  await again.close();
  assert.deepEqual(again.notices, ["outdated-cursor"]);
  assert.deepEqual(again.rows.map((row) => row.seq), [seq]);
});

test("a used-up token bucket is 429 with Retry-After, for that user and class only", async (t) => {
  const world = await World.start({ RATE_LIMIT_SEND_MESSAGE: "2", RATE_LIMIT_CREATE_CONVO: "1" });
  t.after(() => world.end());
  const [alice, bob] = await world.users("alice", "bob");
  const convo = await Convo.create(alice, [bob]);
  const again = await alice.call("createConvo", { groupId: "ab".repeat(16), cipherSuite: "x" });
  assert.equal(`${again.status} ${again.body.error}`, "429 RateLimitExceeded");
  await convo.send(alice);
  await convo.send(alice);
  for (const device of [alice, alice.on("another-device")]) {
    const { status, body, retryAfter } = await device.call("sendMessage", convo.message());
    assert.equal(`${status} ${body.error}`, "429 RateLimitExceeded");
    assert.ok(Number(retryAfter) >= 1 && Number(retryAfter) <= 60);
  }
  await convo.send(bob);
  assert.equal((await alice.rows(convo.id)).length, 3);
  const metrics = await (await fetch(`${world.server.url}/metrics`)).text();
  assert.match(metrics, /^rate_limit_drops_total\{endpoint="sendMessage"\} 2$/m);
});
