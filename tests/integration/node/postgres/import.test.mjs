// SPDX-License-Identifier: MIT
// Moving over: what the predecessor's database holds is here afterwards, with what was broken in it mended and named.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { runCommand } from "../lib/command.mjs";
import { applicationFrame, groupInfoAt, keyPackage, privateCommit, welcomeFor } from "../lib/handmade.mjs";
import { Postgres } from "../lib/postgres.mjs";
import { Predecessor } from "../lib/predecessor.mjs";
import { createDatabase, serverBinary } from "../lib/server.mjs";
import { base64, bytesOf, Convo, suite1, World } from "../lib/world.mjs";

let postgres;
before(async () => { postgres = await Postgres.start(); });
after(() => postgres.remove());

let databases = 0;
const database = () => createDatabase(postgres.url, `import_${databases++}`);
const command = (world, from) => runCommand(["import-predecessor", "--from", from],
  { cwd: world.server.folder, environment: world.server.environment });

async function moved(world, from) {
  const done = await command(world, from);
  assert.equal(done.code, 0, done.err.join("\n"));
  const counts = Object.fromEntries([...done.out.matchAll(/^ +(\d+) (.+)$/gm)].map(([, number, what]) => [what, Number(number)]));
  return { counts, remarks: done.out.split("\n").filter((line) => line.startsWith("!")) };
}

/** A server that has been started once, so that its database and secret are there, and stopped. */
async function stoppedWorld(url) {
  const world = await World.start(url ? { DATABASE_URL: url } : { DATABASE_URL: "sqlite:catbird.db" });
  await world.server.stop();
  return world;
}

/** Everything the predecessor got wrong, in one conversation, and what goes with it. */
async function fill(old, world) {
  const [alice, bob, carol, dora] = await world.users("a", "b", "c", "d");
  const groupId = randomBytes(16);
  const frame = (epoch) => applicationFrame({ groupId, epoch });
  const fork = privateCommit({ groupId, epoch: 0 });
  const bytes = [frame(0), privateCommit({ groupId, epoch: 0 }), frame(1), frame(1), privateCommit({ groupId, epoch: 1 }), frame(2)];
  const id = old.convo({ groupId, creator: alice, epoch: 1, groupInfo: await groupInfoAt({ groupId, epoch: 2 }) });
  old.member(id, alice, { admin: true });
  old.member(id, bob, { unread: 1 });
  old.member(id, carol, { joined: 45 });
  old.member(id, dora, { left: 25 });
  // Two pairs of messages with one number, a fork, and commits without any.
  const ids = [
    old.message(id, bytes[0], { seq: 1, seconds: 10, sender: alice, msgId: randomUUID() }),
    old.message(id, bytes[1], { seq: 0, seconds: 20, type: "commit" }),
    old.message(id, bytes[2], { seq: 1, seconds: 30, sender: bob, msgId: randomUUID() }),
    old.message(id, bytes[3], { seq: 2, seconds: 35, sender: bob }),
    old.message(id, bytes[4], { seq: 0, seconds: 38, type: "commit" }),
    old.message(id, bytes[5], { seq: 2, seconds: 50, sender: alice }),
  ];
  old.message(id, fork, { seq: 0, seconds: 22, type: "commit" });
  const packages = [await keyPackage({ identity: bob.did }), await keyPackage({ identity: bob.did }), await keyPackage({ identity: carol.did })];
  old.keyPackage(bob, packages[0].bytes);
  old.keyPackage(bob, packages[1].bytes, { consumed: true });
  old.keyPackage(bob, randomBytes(200));
  const welcome = welcomeFor([packages[2].ref]);
  old.welcome(id, carol, welcome);
  old.welcome(id, bob, welcomeFor([packages[0].ref]), { consumed: true });
  return { alice, bob, carol, dora, groupId, id, ids, bytes, packages, welcome };
}

async function check(world, state, { alice, bob, carol, dora, groupId, id, ids, bytes, packages, welcome }) {
  const rows = await alice.rows(id);
  assert.deepEqual(rows.map(({ seq }) => seq), [1, 2, 3, 4, 5, 6]);
  assert.deepEqual(rows.map((row) => row.id), ids);
  assert.deepEqual(rows.map((row) => row.messageType), ["app", "commit", "app", "app", "commit", "app"]);
  assert.deepEqual(rows.map((row) => row.epoch), [0, 1, 1, 1, 2, 2]);
  rows.forEach((row, i) => assert.ok(bytesOf(row.ciphertext).equals(Buffer.from(bytes[i])), `the bytes of row ${i + 1}`));
  assert.deepEqual((await carol.rows(id)).map(({ seq }) => seq), [6]);
  assert.deepEqual((await dora.rows(id)).map(({ seq }) => seq), [1, 2]);

  const view = await bob.viewOf(id);
  assert.equal(view.epoch, 2);
  assert.equal(view.members.length, 3);
  assert.deepEqual(view.members.filter(({ isAdmin }) => isAdmin).map(({ did }) => did.split("#")[0]), [alice.did]);

  assert.ok(bytesOf((await carol.ok("getWelcome", { convoId: id })).welcome).equals(Buffer.from(welcome)));
  await carol.ok("confirmWelcome", { convoId: id, success: true });
  await bob.refused("getWelcome", { convoId: id }, 404, "WelcomeNotFound");
  if (state === "last") assert.equal((await bob.ok("getGroupInfo", { convoId: id })).epoch, 2);

  // And life goes on.
  const convo = Object.assign(new Convo(groupId, 2), { id });
  const sent = await convo.send(bob);
  assert.equal(sent.seq, 7);
  await convo.change(alice, "addMembers", { didList: [dora.did] });
  const { keyPackages } = await alice.ok("getKeyPackages", { dids: [bob.did] });
  assert.deepEqual(keyPackages.map((one) => one.keyPackage), [base64(packages[0].bytes)]);
  const again = { keyPackage: base64(packages[1].bytes), cipherSuite: suite1 };
  await bob.call("publishKeyPackage", again).catch(() => {});
  const stats = await bob.ok("getKeyPackageStats", {});
  assert.equal(stats.available, 0, "the used package is not handed out again");
}

for (const state of ["first", "last"]) {
  for (const target of ["SQLite", "the same PostgreSQL database"]) {
    test(`the ${state} schema of the predecessor, into ${target}`, async () => {
      const from = database();
      const old = new Predecessor(from, state);
      const world = await stoppedWorld(target === "SQLite" ? undefined : from);
      try {
        const known = await fill(old, world);
        old.sql("INSERT INTO event_stream VALUES ('e', 'c', 't', '{}')");
        if (state === "last") old.sql("INSERT INTO reports VALUES ('r', 'c', 'spam')");
        const untouched = old.sql("SELECT md5(string_agg(m::text, ',' ORDER BY m::text)) FROM messages m");

        const { counts, remarks } = await moved(world, from);

        assert.equal(counts.conversations, 1);
        assert.equal(counts.members, 4);
        assert.equal(counts["messages and commits"], 6);
        assert.equal(counts["messages with a new number"], 5);
        assert.equal(counts["key packages"], 1);
        assert.equal(counts["used key packages, remembered"], 1);
        assert.equal(counts["conversations and key packages not carried"], 1);
        const said = remarks.join("\n");
        assert.match(said, /a fork, another one of epoch 0 came first/);
        assert.match(said, /epoch is 2 by its MLS messages, where 1 was counted/);
        assert.match(said, /key package \S+: /);
        assert.equal(/table reports: 1 rows/.test(said), state === "last");
        assert.equal(counts["remarks above (!)"], remarks.length);
        assert.equal(old.sql("SELECT md5(string_agg(m::text, ',' ORDER BY m::text)) FROM messages m"), untouched);

        const twice = await moved(world, from);
        assert.equal(twice.counts.conversations, 0);
        assert.equal(twice.counts["conversations already here from an earlier run"], 1);

        await world.server.start();
        await check(world, state, known);
      } finally {
        await world.end();
      }
    });
  }
}

test("cut off at any moment, it goes on where it was", async () => {
  const from = database();
  const old = new Predecessor(from, "last");
  const world = await stoppedWorld();
  try {
    const alice = await world.user("a");
    const convos = [];
    for (let n = 0; n < 4; ++n) {
      const groupId = randomBytes(16);
      const id = old.convo({ groupId, creator: alice, epoch: 0 });
      old.member(id, alice, { admin: true });
      const bytes = Buffer.from(applicationFrame({ groupId, epoch: 0 })).toString("hex");
      old.sql(`INSERT INTO messages SELECT '${id}' || i, '${id}', NULL, 'app', 0, i, '\\x${bytes}', now() - interval '1 hour' FROM generate_series(1, 900) i`);
      convos.push(id);
    }
    let killed = 0;
    for (let delay = 100; ; delay += 60) {
      const child = spawn(serverBinary(), ["import-predecessor", "--from", from],
        { cwd: world.server.folder, env: world.server.environment, stdio: "ignore" });
      const timer = setTimeout(() => child.kill("SIGKILL"), delay);
      const { signal } = await new Promise((done) => child.on("exit", (code, name) => done({ code, signal: name })));
      clearTimeout(timer);
      if (signal !== "SIGKILL") break;
      ++killed;
    }
    assert.ok(killed > 0);
    assert.equal((await moved(world, from)).counts["conversations already here from an earlier run"], convos.length);
    await world.server.start();
    for (const id of convos) {
      const rows = await alice.rows(id);
      assert.deepEqual(rows.map(({ seq }) => seq), Array.from({ length: 900 }, (_, i) => i + 1));
      assert.deepEqual(rows.map((row) => row.id), rows.map(({ seq }) => `${id}${seq}`));
    }
  } finally {
    await world.end();
  }
});

test("it refuses what it must not touch, in one line", async () => {
  const from = database();
  const world = await World.start({ DATABASE_URL: database() });
  try {
    const nothing = await command(world, from);
    assert.equal(nothing.code, 2);
    assert.match(nothing.err.join("\n"), /without the predecessor's tables/);
    const old = new Predecessor(from, "last");
    const running = await command(world, from);
    assert.equal(running.code, 2);
    assert.match(running.err.join("\n"), /another server/);
    const alice = await world.user("a");
    const convo = await Convo.create(alice);
    await world.server.stop();
    old.convo({ groupId: convo.groupId, creator: alice, epoch: 0 });
    const taken = await command(world, from);
    assert.equal(taken.code, 2);
    assert.match(taken.err.join("\n"), /already here, and not from an import/);
    assert.equal(taken.err.length, 1);
    await world.server.start();
  } finally {
    await world.end();
  }
});
