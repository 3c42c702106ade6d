// SPDX-License-Identifier: MIT
// Two days pass on the server's clock. What the operator lets expire goes, is named, and nothing else does: on
// SQLite and PostgreSQL, while messages are written, and when the server is killed in the middle of it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { runCommand } from "../lib/command.mjs";
import { EventStream } from "../lib/event_stream.mjs";
import { FaultServer, assertSound, full } from "../lib/fault_server.mjs";
import { Postgres } from "../lib/postgres.mjs";
import { createDatabase } from "../lib/server.mjs";
import { Convo } from "../lib/world.mjs";

const dayMs = 86_400_000;
const old = full ? 2_000 : 450;  // several steps
const ceilingMs = 120_000;  // Against hangs.
const keep = { MESSAGE_TTL_DAYS: "1", CLEANUP_INTERVAL_SECS: "1" };

let postgres;
before(async () => { postgres = await Postgres.start(); });
after(() => postgres.remove());

let databases = 0;
const environmentOf = (store) => (store === "SQLite" ? {} : { DATABASE_URL: createDatabase(postgres.url, `retention_${databases++}`) });

/** A conversation with many old messages, a commit among them, and a stream that has seen its first. */
async function grown(server) {
  const [alice, bob] = [server.user("alice"), server.user("bob")];
  const convo = await Convo.create(alice, [bob]);
  const stream = new EventStream(server, bob.identity, convo.id);
  await stream.open();
  const first = await convo.send(alice);
  await stream.until(1);
  await stream.close();
  await convo.commitOnly(alice);
  for (let sent = 2; sent < old; sent += 50) await Promise.all(Array.from({ length: Math.min(50, old - sent) }, () => convo.send(alice)));
  return { alice, bob, convo, stream, first };
}

/** Until the page begins where it should; gives the page. */
async function untilExpired(user, convo, firstSeq) {
  for (const began = Date.now(); Date.now() - began < ceilingMs;) {
    const page = await user.ok("getMessages", { convoId: convo.id, limit: 100 });
    if (page.firstSeq === firstSeq) return page;
    assert.ok((page.firstSeq ?? 1) < firstSeq, `the history begins with ${page.firstSeq}`);
    await new Promise((resume) => setTimeout(resume, 20));
  }
  return assert.fail("nothing expired");
}

for (const store of ["SQLite", "PostgreSQL"]) {
  test(`old messages expire on ${store} and leave a mark`, async (t) => {
    const server = new FaultServer({ environment: environmentOf(store) });
    t.after(() => server.dispose());
    await server.start();
    const { alice, bob, convo, stream, first } = await grown(server);
    const last = (await convo.send(alice)).seq;
    await server.stop();
    server.moveClock(2 * dayMs);
    Object.assign(server.environment, keep);
    await server.start();
    const young = [];
    const cleaned = untilExpired(bob, convo, last + 1);
    // Writing goes on meanwhile.
    for (let count = 0; count < 20; count += 1) young.push(await convo.send(alice));
    const page = await cleaned;
    assert.deepEqual(young.map(({ seq }) => seq), young.map((_, index) => last + 1 + index));

    assert.deepEqual(page.messages.map(({ seq }) => seq).filter((seq) => seq <= last), [2], "of the old ones the commit is left");
    const rows = await bob.rows(convo.id);
    assert.deepEqual(rows.map(({ seq }) => seq), [2, ...young.map(({ seq }) => seq)]);
    assert.equal((await bob.ok("getCommits", { convoId: convo.id, fromEpoch: 0 })).commits.length, 1);
    assert.equal(await bob.unread(convo.id), 0);
    // The same id again is the same message, expired or not.
    assert.equal((await alice.ok("sendMessage", { ...first.input })).seq, 1);
    // A stream from before says so, once, and goes on.
    await stream.open();
    await stream.until(young.at(-1).seq);
    await stream.close();
    assert.deepEqual(stream.notices, ["messages-expired"]);
    assert.deepEqual(stream.rows.map(({ seq }) => seq), [1, 2, ...young.map(({ seq }) => seq)]);
    for (const began = Date.now(); !server.lines.some((line) => /retention removed \d+ message bodies/.test(line));) {
      assert.ok(Date.now() - began < ceilingMs, server.lines.slice(-5).join("\n"));
      await new Promise((resume) => setTimeout(resume, 20));
    }

    // Another life loads the same.
    await server.stop();
    await server.start();
    assert.deepEqual((await bob.rows(convo.id)).map(({ seq }) => seq), rows.map(({ seq }) => seq));
    await server.stop();
    if (store === "SQLite") await assertSound(server);
  });
}

test("killed at every step of the cleaning, it leaves no hole and goes on", async (t) => {
  const server = new FaultServer();
  t.after(() => server.dispose());
  await server.start();
  const { bob, convo } = await grown(server);
  const last = old;
  await server.stop();
  server.moveClock(2 * dayMs);
  Object.assign(server.environment, keep);
  let cycles = 0;
  for (let at = 1; ; at += full ? 1 : 8) {
    await server.start();
    const page = await bob.ok("getMessages", { convoId: convo.id, limit: 100 });
    const begins = page.firstSeq ?? 1;
    // Of what the mark says is there, nothing is missing.
    const rows = await bob.rows(convo.id);
    assert.deepEqual(rows.map(({ seq }) => seq).filter((seq) => seq >= begins), Array.from({ length: last - begins + 1 }, (_, i) => begins + i));
    if (begins === last + 1) break;
    server.killAt(at, 15, "-wal");
    const end = await Promise.race([server.ended(), untilExpired(bob, convo, last + 1).catch(() => server.ended())]);
    server.heal();
    if (!end.signal) break;
    cycles += 1;
  }
  assert.ok(cycles > 0);
  t.diagnostic(`${cycles} times killed`);
  await server.stop().catch(() => {});
  await assertSound(server);
});

test("the command cleanup, as the cleanup role and as one that may not", async (t) => {
  const url = createDatabase(postgres.url, `retention_${databases++}`);
  for (const role of ["k_app", "k_cleanup"]) postgres.ask(`CREATE ROLE ${role} LOGIN`);
  const server = new FaultServer({ environment: { DATABASE_URL: url, CLEANUP_INTERVAL_SECS: "0" } });
  t.after(() => server.dispose());
  const command = (words, DATABASE_URL) => runCommand(words, { cwd: server.folder, environment: { ...server.environment, ...keep, DATABASE_URL } });
  assert.equal((await command(["migrate", "--app", "k_app", "--cleanup", "k_cleanup"], url)).code, 0);
  await server.start();
  const { bob, convo } = await grown(server);
  server.moveClock(2 * dayMs);
  const as = (role) => url.replace("postgres@", `${role}@`);
  const app = await command(["cleanup"], as("k_app"));
  assert.equal(app.code, 2);
  assert.equal(app.err.length, 1);
  assert.match(app.err[0], /permission denied/);
  const done = await command(["cleanup"], as("k_cleanup"));
  assert.equal(done.code, 0, done.err.join("\n"));
  assert.match(done.out, new RegExp(`^removed ${old - 1} message bodies, 0 kept answers, 0 Welcomes, 0 expired key packages`));
  await untilExpired(bob, convo, old + 1);
  await server.stop();
});
