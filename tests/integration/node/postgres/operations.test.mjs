// SPDX-License-Identifier: MIT
// What an operator does with PostgreSQL: roles, backup and restore, unsafe settings, several servers.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { runCommand } from "../lib/command.mjs";
import { EventStream } from "../lib/event_stream.mjs";
import { Postgres } from "../lib/postgres.mjs";
import { createDatabase, psql, urlOfDatabase } from "../lib/server.mjs";
import { Convo, World } from "../lib/world.mjs";

let postgres, folder;
before(async () => {
  postgres = await Postgres.start();
  folder = mkdtempSync(join(tmpdir(), "catbird-operations-"));
});
after(() => {
  postgres.remove();
  rmSync(folder, { recursive: true, force: true });
});

const urlOf = (name, role = "postgres") => urlOfDatabase(postgres.url, name).replace("postgres@", `${role}@`);
const database = (name) => createDatabase(postgres.url, name);
const ask = (url, sql) => psql(url, sql).trim();
const environment = (url, extra = {}) => ({ DATABASE_URL: url, SERVER_PORT: "0", SERVICE_DID: "did:web:catbird.test",
  CATBIRD_SECRET_FILE: join(folder, "secret"), CATBIRD_TOKEN_JOURNAL: join(folder, "tokens"), ...extra });

/** Refuses to start: exit code 2 and one line, which says what and what to do. */
async function refuses(url, says, extra) {
  const { code, err } = await runCommand([], { cwd: folder, environment: environment(url, extra) });
  assert.equal(code, 2, err.join("\n"));
  assert.equal(err.length, 1, err.join("\n"));
  for (const one of says) assert.match(err[0], one);
}

/** Why `sql` fails for the role: SQLSTATE. */
function sqlstate(url, sql) {
  const done = spawnSync("psql", ["-X", "-q", "-v", "VERBOSITY=sqlstate", url, "-c", sql], { encoding: "utf8" });
  return /ERROR:\s+(\w{5})/.exec(done.stderr)?.[1] ?? (done.status === 0 ? "done" : done.stderr);
}

const forbidden = "42501";

test("a server as the app role does everything, and can do nothing else", async () => {
  const url = database("roles");
  for (const role of ["r_app", "r_cleanup"]) postgres.ask(`CREATE ROLE ${role} LOGIN`);
  const early = await runCommand([], { cwd: folder, environment: environment(urlOf("roles", "r_app")) });
  assert.equal(early.code, 2);
  assert.match(early.err[0], /may not create the schema: run catbird-mls-server migrate as the owner role/);

  const done = await runCommand(["migrate", "--app", "r_app", "--cleanup", "r_cleanup"], { cwd: folder, environment: environment(url) });
  assert.equal(done.code, 0, done.err.join("\n"));
  const world = await World.start({ DATABASE_URL: urlOf("roles", "r_app") });
  try {
    const [alice, bob] = await world.users("a", "b");
    const made = await bob.publish();
    assert.ok(made);
    assert.equal((await alice.ok("getKeyPackages", { dids: [bob.did] })).keyPackages.length, 1);
    const convo = await Convo.create(alice, [bob]);
    await convo.send(alice);
    await convo.change(alice, "addMembers", { didList: [] });
    assert.equal((await bob.rows(convo.id)).length, 2);
    await bob.ok("updateCursor", { convoId: convo.id, cursor: "1" }).catch(() => {});
  } finally {
    await world.end();
  }

  const app = urlOf("roles", "r_app");
  for (const sql of ["CREATE TABLE catbird.x (a int)", "CREATE TABLE public.x (a int)", "DROP TABLE catbird.message", "DROP SCHEMA catbird CASCADE",
    "ALTER TABLE catbird.message DROP CONSTRAINT message_commit", "ALTER TABLE catbird.message DISABLE TRIGGER ALL",
    "DROP INDEX catbird.message_seq", "TRUNCATE catbird.message", "DELETE FROM catbird.message", "UPDATE catbird.message SET seq = seq + 1",
    "UPDATE catbird.message SET body = ''", "UPDATE catbird.message SET epoch = 9", "DELETE FROM catbird.conversation",
    "UPDATE catbird.conversation SET convo_id = 'x'", "UPDATE catbird.conversation SET first_seq = 2", "DELETE FROM catbird.member",
    "UPDATE catbird.member SET user_did = 'x'", "DELETE FROM catbird.idempotency", "UPDATE catbird.idempotency SET seq = 1",
    "DELETE FROM catbird.welcome", "UPDATE catbird.welcome SET body = ''", "DELETE FROM catbird.welcome_recipient", "DELETE FROM catbird.key_package",
    "UPDATE catbird.meta SET value = '0'", "DELETE FROM catbird.meta", "SELECT setval('catbird.message_position', 1)", "SELECT setval('catbird.fence', 1)",
    "ALTER SEQUENCE catbird.fence RESTART", "COPY catbird.message TO PROGRAM 'cat'", "SET session_replication_role = replica",
    "GRANT ALL ON catbird.message TO PUBLIC", "CREATE FUNCTION catbird.f() RETURNS int LANGUAGE sql AS 'SELECT 1'"]) {
    // GRANT without the right to is a warning that grants nothing.
    const state = sqlstate(app, sql);
    if (!sql.startsWith("GRANT")) assert.equal(state, forbidden, `as the app role: ${sql}: ${state}`);
  }
  assert.equal(ask(url, "SELECT has_table_privilege('public', 'catbird.message', 'SELECT')"), "f");

  const cleanup = urlOf("roles", "r_cleanup");
  for (const sql of ["INSERT INTO catbird.meta VALUES ('a', 'b')", "DELETE FROM catbird.message", "UPDATE catbird.message SET seq = seq + 1",
    "UPDATE catbird.conversation SET epoch = epoch + 1", "UPDATE catbird.conversation SET next_seq = 1", "DELETE FROM catbird.member",
    "UPDATE catbird.member SET read_seq = 1", "DELETE FROM catbird.conversation", "TRUNCATE catbird.idempotency", "DELETE FROM catbird.group_info",
    "SELECT nextval('catbird.message_position')", "DROP TABLE catbird.welcome", "CREATE TABLE catbird.x (a int)"]) {
    assert.equal(sqlstate(cleanup, sql), forbidden, `as the cleanup role: ${sql}`);
  }
});

test("backup with pg_dump, restore into another database: everything is there, and streams notice", async () => {
  const url = database("source");
  const world = await World.start({ DATABASE_URL: url });
  const restored = urlOf("restored");
  let again;
  try {
    const [alice, bob] = await world.users("a", "b");
    const convo = await Convo.create(alice, [bob]);
    const stream = new EventStream(world.server, bob.identity, convo.id);
    await stream.open();
    for (let count = 0; count < 3; count += 1) await convo.send(alice);
    await stream.until(3);
    await stream.close();

    // The drill of docs/postgresql.md.
    const dump = join(folder, "catbird.dump");
    execFileSync("pg_dump", ["--format=custom", "--schema=catbird", "--file", dump, url]);
    await world.server.stop();
    postgres.ask("CREATE DATABASE restored TEMPLATE template0");
    execFileSync("pg_restore", ["--exit-on-error", "--dbname", restored, dump]);

    world.server.environment.DATABASE_URL = restored;
    await world.server.start();
    assert.deepEqual((await bob.rows(convo.id)).map(({ seq }) => seq), [1, 2, 3]);
    assert.equal((await convo.send(alice)).seq, 4);
    again = new EventStream(world.server, bob.identity, convo.id);
    again.cursor = stream.cursor;
    await again.open();
    await convo.send(alice);
    await again.until(5);
    assert.deepEqual(again.notices, ["outdated-cursor"]);
  } finally {
    await again?.close();
    await world.end();
  }
});

for (const name of ["fsync", "full_page_writes", "synchronous_commit"]) {
  test(`refuses a PostgreSQL with ${name} = off`, async () => {
    const unsafe = await Postgres.start({ settings: [`${name}=off`] });
    try {
      await refuses(unsafe.url, [new RegExp(`${name} = off`), /set it to on/]);
    } finally {
      unsafe.remove();
    }
  });
}

test("refuses an unsafe setting of the database or the role alone", async () => {
  const url = database("unsafe");
  postgres.ask("ALTER DATABASE unsafe SET synchronous_commit = local");
  await refuses(url, [/synchronous_commit = local/]);
});

test("a database that is not there, not ours, newer, in another encoding: one line each", async () => {
  await refuses(urlOf("nowhere"), [/does not exist/]);
  await refuses("postgresql://postgres@127.0.0.1:1/catbird", [/PostgreSQL did not accept a connection/]);
  const foreign = database("foreign_schema");
  ask(foreign, "CREATE SCHEMA catbird; CREATE TABLE catbird.other (a int)");
  await refuses(foreign, [/belongs to another program/]);
  const newer = database("newer");
  assert.equal((await runCommand(["migrate"], { cwd: folder, environment: environment(newer) })).code, 0);
  ask(newer, "UPDATE catbird.meta SET value = '999' WHERE key = 'schema'");
  await refuses(newer, [/schema 999, newer than this program/]);
  postgres.ask("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'");
  await refuses(urlOf("latin"), [/encoding must be UTF8/]);
});

test("a predecessor's tables in the same database are named and left alone", async () => {
  const url = database("predecessor");
  ask(url, "CREATE TABLE conversations (id text); CREATE TABLE messages (id text); CREATE TABLE members (id text); INSERT INTO messages VALUES ('m1')");
  const world = await World.start({ DATABASE_URL: url });
  try {
    assert.ok(world.server.lines.some((line) => /predecessor/.test(line)), world.server.lines.join("\n"));
    await Convo.create(await world.user("a"));
  } finally {
    await world.end();
  }
  assert.equal(ask(url, "SELECT string_agg(id, ',') FROM messages"), "m1");
  assert.equal(ask(url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "3");
});

test("one secret for all servers of a database, and DATABASE_EXCLUSIVE is exclusive", async () => {
  const url = database("shared");
  const world = await World.start({ DATABASE_URL: url });
  try {
    await refuses(url, [/another secret/, /CATBIRD_SECRET_FILE/]);
    const secret = join(folder, "copied");
    mkdirSync(join(folder, "data"), { recursive: true });
    copyFileSync(join(world.server.folder, "data/catbird.secret"), secret);
    await refuses(url, [/DATABASE_EXCLUSIVE=true, but another server/], { CATBIRD_SECRET_FILE: secret, DATABASE_EXCLUSIVE: "true" });
  } finally {
    await world.end();
  }
});

test("two first starts at once: one makes the schema, both serve", async () => {
  const url = database("at_once");
  const runs = await Promise.all(Array.from({ length: 8 }, () => runCommand(["migrate"], { cwd: folder, environment: environment(url) })));
  assert.deepEqual(runs.map(({ code }) => code), runs.map(() => 0), runs.flatMap(({ err }) => err).join("\n"));
});

test("backup and restore of SQLite say what to use with PostgreSQL", async () => {
  const url = database("commands");
  for (const command of ["backup", "restore"]) {
    const { code, err } = await runCommand([command, join(folder, "x.db")], { cwd: folder, environment: environment(url) });
    assert.equal(code, 2);
    assert.match(err[0], /pg_dump|pg_restore/);
  }
});
