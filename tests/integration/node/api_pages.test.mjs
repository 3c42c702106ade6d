// SPDX-License-Identifier: MIT
// Everything beside the methods: health, metrics, the DID document, the log; and sizes, of what is
// taken and of what one answer holds.
import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { bareMessage, privateCommit, welcomeFor } from "./lib/handmade.mjs";
import { EventStream } from "./lib/event_stream.mjs";
import { Convo, World, base64, bytesOf, prefix } from "./lib/world.mjs";

const mebibyte = 1024 * 1024;
const blobMax = 7 * mebibyte;
const answerMax = 10 * mebibyte;  // what a PDS proxy lets through
const overhead = 120;             // framing of a PrivateMessage around its ciphertext, at most
const actors = (process.env.CATBIRD_TEST_ACTORS ?? "true") === "true";

let world;
before(async () => { world = await World.start(); });
after(() => world?.end());

async function page(path, headers = {}) {
  const response = await fetch(`${world.server.url}${path}`, { headers });
  return { status: response.status, type: response.headers.get("content-type"), text: await response.text() };
}

/** A PrivateMessage of exactly this many bytes. */
function messageOf(bytes, where, type = "application") {
  const made = bareMessage({ ...where, type, bytes: bytes - overhead });
  return bareMessage({ ...where, type, bytes: bytes - overhead + bytes - made.length });
}

test("health pages have the predecessor's shapes and say what is so", async () => {
  const health = await page("/health");
  assert.equal(health.status, 200);
  assert.match(health.type, /^application\/json/);
  const { timestamp, version, ...rest } = JSON.parse(health.text);
  assert.ok(Math.abs(timestamp - Date.now() / 1000) < 600);
  assert.match(version, /^\d+\.\d+\.\d+/);
  assert.ok(Number.isInteger(rest.checks.actors.active_actors));
  if (!actors) assert.equal(rest.checks.actors.active_actors, 0);
  delete rest.checks.actors.active_actors;
  assert.deepEqual(rest, { status: "healthy", checks: { database: "healthy", memory: "healthy", actors: { enabled: actors, status: "healthy", healthy: true } } });
  const live = await page("/health/live");
  assert.deepEqual([live.status, live.text, live.type.split(";")[0]], [200, "OK", "text/plain"]);
  const ready = await page("/health/ready");
  assert.deepEqual([ready.status, JSON.parse(ready.text)], [200, { ready: true, checks: { database: true, actors: true } }]);
  assert.deepEqual(Object.keys(JSON.parse((await page("/xrpc/_health")).text)), ["version"]);
});

test("the DID document names the service", async () => {
  const { status, text } = await page("/.well-known/did.json");
  assert.equal(status, 200);
  const document = JSON.parse(text);
  assert.equal(document.id, "did:web:catbird.test");
  assert.deepEqual(document.service, [{ id: "#atproto_mls", type: "AtprotoMlsService", serviceEndpoint: "https://catbird.test" }]);
});

/** name -> { type, samples: [{ labels, value }] } of the Prometheus page. */
async function metrics() {
  const { status, type, text } = await page("/metrics");
  assert.equal(status, 200);
  assert.match(type, /^text\/plain; version=0\.0\.4/);
  const families = new Map();
  for (const line of text.trim().split("\n")) {
    const typed = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line);
    if (typed) families.set(typed[1], { type: typed[2], samples: [] });
    if (line.startsWith("#")) continue;
    const [, name, , labels = "", value] = /^([a-zA-Z_:]\w*)(\{(.*)\})? (\S+)$/.exec(line) ?? assert.fail(`no sample: ${line}`);
    const family = families.get(name) ?? families.get(name.replace(/_(bucket|sum|count)$/, ""));
    assert.ok(family, `${name} has no TYPE`);
    family.samples.push({ name, labels: Object.fromEntries([...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, text2]) => [key, text2])), value: Number(value) });
  }
  return families;
}

const described = {
  http_requests_total: "counter", http_request_duration_seconds: "histogram", database_connections_active: "gauge",
  database_queries_total: "counter", mls_messages_sent_total: "counter", mls_groups_created_total: "counter",
  process_resident_memory_bytes: "gauge", process_cpu_seconds_total: "gauge", actor_spawns_total: "counter",
  actor_stops_total: "counter", actor_restarts_total: "counter", actor_mailbox_depth: "gauge",
  actor_message_duration_seconds: "histogram", actor_message_drops_total: "counter",
  actor_mailbox_full_events_total: "counter", epoch_increment_duration_seconds: "histogram", epoch_conflicts_total: "counter",
  database_query_duration_seconds: "histogram", mls_members_added_total: "counter", realtime_queue_depth: "gauge",
  fanout_operations_total: "counter", envelope_write_duration_seconds: "histogram", cursor_operations_total: "counter",
  rate_limit_drops_total: "counter", event_stream_size_bytes: "gauge", active_sse_connections: "gauge",
};
const labelsOf = {
  actor_spawns_total: ["actor_type"], actor_stops_total: ["actor_type", "reason"], actor_restarts_total: ["actor_type", "reason"],
  actor_mailbox_depth: ["actor_type"], actor_message_duration_seconds: ["actor_type", "message_type"],
  actor_message_drops_total: ["actor_type", "reason"], fanout_operations_total: ["provider", "status"],
  cursor_operations_total: ["operation", "status"], rate_limit_drops_total: ["endpoint"],
};

test("every metric of the predecessor is there with its type and labels, none with a conversation", async () => {
  const alice = await world.user("alice");
  await (await Convo.create(alice)).send(alice);
  const families = await metrics();
  for (const [name, type] of Object.entries(described)) {
    assert.equal(families.get(name)?.type, type, name);
    for (const { labels } of families.get(name).samples) {
      const keys = Object.keys(labels).filter((key) => key !== "le").sort();
      if (labelsOf[name]) assert.deepEqual(keys, labelsOf[name], name);
      if (labels.actor_type) assert.equal(labels.actor_type, "conversation_actor");
    }
  }
  for (const [name, { samples }] of families) samples.forEach(({ labels }) => assert.ok(!("convo_id" in labels), name));
});

/** How much each metric grows, all labels and buckets together, by one of everything. */
async function growth() {
  const sum = (families, name) => families.get(name).samples
    .filter((sample) => !sample.name.endsWith("_bucket") && !sample.name.endsWith("_sum")).reduce((total, { value }) => total + value, 0);
  const before = await metrics();
  const [alice, bob] = await world.users("alice", "bob");
  const convo = await Convo.create(alice);
  const stream = new EventStream(world.server, alice.identity, convo.id);
  await stream.open();
  await convo.send(alice);
  await convo.add(alice, [bob]);
  await bob.ok("updateCursor", { convoId: convo.id, cursor: "2" });
  await alice.refused("sendMessage", new Convo(convo.groupId, 0).message(), 409, "Conflict");
  await stream.until(2);
  const after = await metrics();
  await stream.close();
  return Object.fromEntries(Object.keys(described).map((name) => [name, sum(after, name) - sum(before, name)]));
}

test("metrics of what happened have moved", async () => {
  const grown = await growth();
  for (const name of ["http_requests_total", "http_request_duration_seconds", "database_queries_total", "mls_groups_created_total",
    "epoch_increment_duration_seconds", "epoch_conflicts_total", "database_query_duration_seconds", "mls_members_added_total",
    "active_sse_connections"]) {
    assert.ok(grown[name] > 0, `${name} grew by ${grown[name]}`);
  }
  for (const name of ["actor_spawns_total", "actor_message_duration_seconds"]) assert.equal(grown[name] > 0, actors, name);
});

for (const name of ["mls_messages_sent_total", "envelope_write_duration_seconds", "fanout_operations_total", "cursor_operations_total"]) {
  test(`${name} moves`, async () => {
    assert.ok((await growth())[name] > 0);
  });
}

test("database_connections_active tells how many are open", async () => {
  const [{ value }] = (await metrics()).get("database_connections_active").samples;
  assert.ok(value > 0);
});

test("the log is JSON lines; a start says what the predecessor said, in its order", async () => {
  const lines = world.server.lines.map((line) => JSON.parse(line));
  for (const line of lines) {
    assert.deepEqual(Object.keys(line).sort(), ["fields", "level", "target", "timestamp"]);
    assert.ok(!Number.isNaN(Date.parse(line.timestamp)));
  }
  const wanted = ["Starting Catbird MLS Server", "Authentication configuration loaded", "Metrics initialized", "Database initialized",
    "SSE state initialized with buffer size 5000", ...(actors ? ["Initializing ActorRegistry", "Actor registry initialized"]
      : ["Actor system disabled (ENABLE_ACTOR_SYSTEM): every request is a transaction of its own"])];
  const said = lines.filter(({ target }) => target === "catbird_server").map(({ fields }) => fields.message);
  const start = said.filter((message) => wanted.includes(message));
  assert.deepEqual(start, wanted);
  assert.match(said[said.indexOf(wanted.at(-1)) + 1], /^Server listening on 127\.0\.0\.1:\d+$/);
  const spawns = lines.filter(({ fields }) => /^ConversationActor \S+ starting at epoch \d+$/.test(fields.message));
  assert.equal(spawns.length > 0, actors);
  spawns.forEach(({ target }) => assert.equal(target, "catbird_server::actors::conversation"));
});

test("the registry names the conversations for which it starts actors, if it does", () => {
  const line = world.server.lines.map((text) => JSON.parse(text)).find(({ fields }) => fields.message.startsWith("Spawning new actor for conversation"));
  assert.equal(line?.target, actors ? "catbird_server::actors::registry" : undefined);
});

test("a message of 7 MiB is taken, listed within a proxy's limit, and one byte more is 413", async () => {
  const alice = await world.user("alice");
  const convo = await Convo.create(alice);
  const send = (bytes) => {
    const frame = messageOf(bytes, convo.where);
    assert.equal(frame.length, bytes);
    return alice.call("sendMessage", { ...convo.message(), paddedSize: bytes, ciphertext: { $bytes: base64(frame) } });
  };
  assert.equal((await send(blobMax)).status, 200);
  const { status, body } = await send(blobMax + 1);
  assert.equal(`${status} ${body.error}`, "413 MessageTooLarge");
  assert.equal((await send(600)).status, 200);
  assert.equal((await send(blobMax)).status, 200);
  const pages = [];
  let last = 0;
  do {
    const answer = await alice.ok("getMessages", { convoId: convo.id, sinceSeq: last });
    assert.ok(JSON.stringify(answer).length < answerMax);
    pages.push(answer.messages.map(({ seq, ciphertext }) => [seq, bytesOf(ciphertext).length]));
    last = answer.lastSeq;
  } while (last < 3);
  assert.deepEqual(pages.flat(), [[1, blobMax], [2, 600], [3, blobMax]]);
  const stream = new EventStream(world.server, alice.identity, convo.id);
  await stream.open();
  await send(blobMax);
  await stream.until(4);
  await stream.close();
});

test("pages of many middle-sized rows are bounded by bytes and lose nothing", async () => {
  const alice = await world.user("alice");
  const convo = await Convo.create(alice);
  const bytes = 1.5 * mebibyte;
  for (let count = 0; count < 12; count += 1) {
    const commit = base64(messageOf(bytes, convo.where, "commit"));
    await alice.ok("addMembers", { convoId: convo.id, didList: [], commit, idempotencyKey: randomUUID() });
    convo.epoch += 1;
  }
  const seqs = [];
  while (seqs.length < 12) {
    const answer = await alice.ok("getMessages", { convoId: convo.id, limit: 100, ...(seqs.length ? { sinceSeq: seqs.at(-1) } : {}) });
    assert.ok(answer.messages.length > 0 && JSON.stringify(answer).length < answerMax);
    seqs.push(...answer.messages.map(({ seq }) => seq));
  }
  assert.deepEqual(seqs, Array.from({ length: 12 }, (_, index) => index + 1));
  const epochs = [];
  while (epochs.length < 12) {
    const answer = await alice.ok("getCommits", { convoId: convo.id, fromEpoch: (epochs.at(-1) ?? 0) + 1 });
    assert.ok(answer.commits.length > 0 && JSON.stringify(answer).length < answerMax);
    epochs.push(...answer.commits.map(({ epoch }) => epoch));
  }
  assert.deepEqual(epochs, seqs);
});

test("one request may carry nearly 16 MiB", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const convo = await Convo.create(alice);
  const input = {
    convoId: convo.id, didList: [bob.did], idempotencyKey: randomUUID(),
    commit: base64(privateCommit({ ...convo.where, bytes: 5.9 * mebibyte })),
    welcomeMessage: base64(welcomeFor([randomBytes(32).toString("hex")], 5.9 * mebibyte)),
  };
  const size = JSON.stringify(input).length;
  assert.ok(size > 15.5 * mebibyte && size < 16 * mebibyte, `${size}`);
  await alice.ok("addMembers", input);
  const { welcome } = await bob.ok("getWelcome", { convoId: convo.id });
  assert.ok(welcome === input.welcomeMessage);
});

test("answers carry the headers a proxy and a browser need", async () => {
  const alice = await world.user("alice");
  const response = await fetch(`${world.server.url}/xrpc/${prefix}getConvos`, { headers: { authorization: `Bearer ${await alice.identity.token(`${prefix}getConvos`)}` } });
  assert.equal(response.status, 200);
  assert.match(response.headers.get("content-type"), /^application\/json/);
  assert.equal(response.headers.get("set-cookie"), null);
  assert.ok(Number(response.headers.get("content-length")) > 0);
});
