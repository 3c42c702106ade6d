// SPDX-License-Identifier: MIT
// PostgreSQL fails under load in every way that we could think of. Clients repeat what was not answered;
// each case ends with the history checker over all that every client saw and all that is stored.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { bareMessage } from "../lib/handmade.mjs";
import { Postgres } from "../lib/postgres.mjs";
import { PostgresProxy, cuts } from "../lib/postgres_proxy.mjs";
import { Arena, userOf } from "../lib/race.mjs";
import { createDatabase, urlOfDatabase } from "../lib/server.mjs";
import { metric, underLoad } from "../lib/under_load.mjs";

const full = (process.env.CATBIRD_FAULTS ?? "full") === "full";
const cycles = full ? 20 : 4;
const cutsEach = full ? 500 : 25;
const requestsWhileFilling = 4000;
const ceilingMs = 60_000;  // Against hangs; not a measurement.
const diskMiB = 256;
const walBytes = 4_000_000;
const memoryMaxMiB = 128;  // what a database that hangs may cost
const waitingClients = 200;
const roundsMax = 20;  // of load, until all cuts were made

const modes = full ? ["actors", "direct"] : ["actors"];  // where the mode does not change on the way

const watch = ["user 0", "user 1"];
const usual = { perCycle: 300, watch };
const postgres = await Postgres.start();
after(() => postgres.remove());

const statusOf = async (server, path) => {
  try { return (await fetch(`${server.url}${path}`)).status; } catch { return 0; }
};
const ready = (server) => statusOf(server, "/health/ready");

let databases = 0;

/** A server on a database of its own in `own`, reached through `port`. */
async function arenaOn(own, { port = own.port, mode = "actors" } = {}) {
  const name = `fault_${databases += 1}`;
  createDatabase(own.url, name);
  return Arena.start(mode, { DATABASE_URL: urlOfDatabase(own.urlAt(port), name) });
}

const unavailable = (server) => metric(server, "http_requests_total", 'status="503"');
const connectionsLost = (server) => metric(server, "storage_connections_lost");

/** The checker finds nothing, in a history in which the fault was felt. */
async function assertSound(t, arena) {
  const summary = await arena.check();
  t.diagnostic(summary);
  assert.ok(Number(/\((\d+) unanswered\)/.exec(summary)[1]) > 0, "no request was left without an answer");
}

/** Milliseconds from now until the server is ready and its clients have had answers. */
async function recovery(server, load) {
  const since = performance.now();
  const from = load.acknowledged;
  await load.until("the server is ready again", async () => await ready(server) === 200);
  await load.until("the load goes on", () => load.acknowledged > from);
  return performance.now() - since;
}

test(`kill -9 of the server, ${cycles} cycles`, async (t) => {
  const arena = await arenaOn(postgres);
  t.after(() => arena.dispose());
  await underLoad(arena, cycles, async () => {
    await arena.server.kill9();
    await arena.start(arena.mode === "actors" ? "direct" : "actors");
  }, usual);
  await assertSound(t, arena);
});

for (const mode of modes) {
  test(`kill -9 of PostgreSQL, ${cycles} cycles, ${mode}`, async (t) => {
    const arena = await arenaOn(postgres, { mode });
    t.after(() => arena.dispose());
    const { pid } = arena.server;
    const healed = [];
    await underLoad(arena, cycles, async (number, load) => {
      await postgres.kill9();
      await load.until("the server says that it is not ready", async () => await ready(arena.server) === 503);
      postgres.start();
      healed.push(await recovery(arena.server, load));
    }, usual);
    assert.equal(arena.server.pid, pid, "without a restart");
    assert.ok(await connectionsLost(arena.server) >= cycles);
    assert.ok(await unavailable(arena.server) > 0, "no request was refused");
    t.diagnostic(`longest time from PostgreSQL's start to the next 100 answers: ${Math.max(...healed).toFixed(0)} ms`);
    await assertSound(t, arena);
  });
}

for (const mode of modes) {
  test(`sessions terminated, ${cycles} times, ${mode}`, async (t) => {
    const arena = await arenaOn(postgres, { mode });
    t.after(() => arena.dispose());
    const database = new URL(arena.database).pathname.slice(1);
    let ended = 0;
    await underLoad(arena, cycles, async () => { ended += postgres.terminateSessions(database); }, usual);
    assert.ok(ended >= cycles, `${ended} sessions ended`);
    const lost = await connectionsLost(arena.server);
    t.diagnostic(`${ended} sessions ended; the server met ${lost} lost connections`);
    assert.ok(lost >= cycles);
    await assertSound(t, arena);
  });
}

test(`the connection is cut before and after what commits, ${cutsEach} times each`, async (t) => {
  const proxy = await PostgresProxy.start(postgres.port);
  const arena = await arenaOn(postgres, { port: proxy.ownPort });
  t.after(async () => {
    await arena.dispose();
    await proxy.close();
  });
  const every = 4;  // commits
  let rounds = 0;
  // The direct mode has no batches: each request is a transaction of its own.
  for (const [mode, wanted] of [["actors", cuts], ["direct", ["before COMMIT", "after COMMIT"]]]) {
    if (mode !== arena.mode) await arena.restart(mode);
    proxy.cut(cutsEach, every);
    while (wanted.some((cut) => proxy.counts[cut] < cutsEach)) {
      rounds += 1;
      assert.ok(rounds <= roundsMax, `only ${JSON.stringify(proxy.counts)}`);
      await arena.race("load", { run: `cuts ${rounds}`, scale: cutsEach * 20, watch });
    }
    t.diagnostic(`${mode}: ${cuts.map((cut) => `${cut} ${proxy.counts[cut]}`).join(", ")}`);
    proxy.cut(0, 1);
  }
  await assertSound(t, arena);
});

const rssMiB = (pid) => Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) / 1024;

for (const mode of modes) {
  test(`a slow database, and one that hangs, ${mode}`, async (t) => {
    const proxy = await PostgresProxy.start(postgres.port);
    const arena = await arenaOn(postgres, { port: proxy.ownPort, mode });
    t.after(async () => {
      await arena.dispose();
      await proxy.close();
    });
    const healed = [];
    await underLoad(arena, full ? 6 : 2, async (number, load) => {
      if (number % 2 === 0) {
        proxy.slow(50);
        await load.goesOn(100);
        proxy.heal();
        return;
      }
      const before = rssMiB(arena.server.pid);
      proxy.hang();
      await load.until("the server says that it is not ready", async () => await ready(arena.server) === 503);
      assert.equal(await statusOf(arena.server, "/health/live"), 200);
      const refused = await floodOf(arena);
      assert.deepEqual([...new Set(refused)], [503], "each is refused by its deadline");
      const grown = rssMiB(arena.server.pid) - before;
      assert.ok(grown < memoryMaxMiB, `it took ${grown} MiB`);
      proxy.heal();
      healed.push(await recovery(arena.server, load));
      t.diagnostic(`${refused.length} requests refused while it hung, ${grown.toFixed(1)} MiB more`);
    }, usual);
    t.diagnostic(`longest time to the next 100 answers after healing: ${Math.max(...healed).toFixed(0)} ms`);
    assert.ok(proxy.lateStatements > 0);
    t.diagnostic(`late pieces that reached PostgreSQL after healing: ${proxy.lateStatements}`);
    await assertSound(t, arena);
  });
}

/** Large messages of many clients at once to a server whose database hangs; the answers' status. */
async function floodOf(arena) {
  const user = userOf("flood", "a", arena.secret);
  const groupId = Buffer.alloc(16, 7);
  const message = bareMessage({ groupId, epoch: 0, bytes: 60_000 });
  const body = (number) => JSON.stringify({ convoId: groupId.toString("hex"), msgId: `01FLOOD${String(number).padStart(19, "0")}`,
    epoch: 0, paddedSize: message.length, ciphertext: { $bytes: message.toString("base64") } });
  return Promise.all(Array.from({ length: waitingClients }, async (_, number) => {
    const answer = await fetch(`${arena.server.url}/xrpc/blue.catbird.mls.sendMessage`, { method: "POST", body: body(number),
      headers: { authorization: `Bearer ${user.token("blue.catbird.mls.sendMessage")}`, "content-type": "application/json" },
      signal: AbortSignal.timeout(ceilingMs) });
    await answer.text();
    return answer.status;
  }));
}

test("PostgreSQL's disk fills up and is freed", async (t) => {
  const disk = mkdtempSync(join(tmpdir(), "catbird-pgdisk-"));
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${diskMiB}m,mode=755`, "none", disk]);
  assert.equal(mounted.status, 0, `a small disk cannot be mounted (root may): ${mounted.stderr}`);
  let small, arena;
  t.after(async () => {
    await arena?.dispose();
    small?.remove();
    spawnSync("umount", [disk]);
    rmSync(disk, { recursive: true, force: true });
  });
  small = await Postgres.start({ parent: disk, settings: ["shared_buffers=16MB", "min_wal_size=32MB"] });
  arena = await arenaOn(small);
  const { pid } = arena.server;
  const log = arena.newLog("disk");
  let dead = 0;
  await underLoad(arena, full ? 5 : 2, async (number, load) => {
    const filler = join(disk, "filler");
    const full = log.begin("full", "");
    spawnSync("dd", ["if=/dev/zero", `of=${filler}`, "bs=64k"]);
    const before = await unavailable(arena.server);
    await load.until("the server says that it cannot write", async () => {
      // The log of PostgreSQL is what must grow: the segments that it has are soon used up.
      small.tryAsk(`SELECT pg_logical_emit_message(false, 'fill', repeat('x', ${walBytes}))`);
      return await unavailable(arena.server) > before;
    });
    rmSync(filler, { force: true });
    log.note(full, "ok");
    if (!small.runs) {
      small.start();
      dead += 1;
    }
    await load.goesOn();
  }, { perCycle: requestsWhileFilling, watch });
  arena.logs.push(log.save());
  t.diagnostic(`PostgreSQL ended by itself ${dead} times`);
  assert.equal(arena.server.pid, pid, "without a restart");
  await assertSound(t, arena);
});
