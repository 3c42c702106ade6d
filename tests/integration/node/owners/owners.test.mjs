// SPDX-License-Identifier: MIT
// Two servers on one PostgreSQL, writing the same conversations: whoever writes compares the fence in the
// row, so that neither can fork what the other wrote. One of them is stopped in the middle of its work,
// again and again, and comes back as a zombie. What every client saw is held to the store by the checker.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { EventStream } from "../lib/event_stream.mjs";
import { newSigner } from "../lib/handmade.mjs";
import { Arena, scaled } from "../lib/race.mjs";
import { Server } from "../lib/server.mjs";
import { metric, underLoad } from "../lib/under_load.mjs";
import { Convo, World, base64 } from "../lib/world.mjs";

const requests = scaled(Number(process.env.CATBIRD_OWNERS_REQUESTS ?? 10_000));
const cycles = scaled(Number(process.env.CATBIRD_OWNERS_CYCLES ?? 20));
const requestsPerCycle = 600;
const takenOverAfter = 200;  // requests that the other server has answered meanwhile

if (!process.env.CATBIRD_TEST_POSTGRES) throw new Error("set CATBIRD_TEST_POSTGRES to what `script/postgres start DIR` prints");

/** How often an activation of this server has lost its conversation to another writer. */
const fenced = (server) => metric(server, "actor_restarts_total", 'actor_type="conversation_actor",reason="fenced"');

async function pair(first, second) {
  const arena = await Arena.start(first);
  try {
    await arena.join(second);
  } catch (error) {
    await arena.dispose();
    throw error;
  }
  return arena;
}

for (const [first, second] of [["actors", "direct"], ["actors", "actors"]]) {
  describe(`two servers, ${first} and ${second}`, () => {
    let arena;
    before(async () => { arena = await pair(first, second); });
    after(() => arena?.dispose());

    test("of 64 commits on one epoch exactly one wins, in every round", () =>
      arena.race("one_commit_wins_each_epoch", { scale: scaled(30), watch: ["committer 5"] }));

    test("32 claimers get one key package of every device, none twice", () =>
      arena.race("key_packages_are_handed_out_once", { scale: scaled(20) }));

    test("a mixture of everything, with readers on streams", () =>
      arena.race("load", { scale: requests, watch: ["user 0", "user 1", "user 2"] }));

    test("all of it together is the history of one correct server", async (t) => {
      const lost = await Promise.all(arena.servers.map(fenced));
      t.diagnostic(`activations lost to the other server: ${lost.join(", ")}`);
      assert.ok(lost[0] > 0, "they did not write the same conversations");
      t.diagnostic(await arena.check());
    });
  });
}

test(`${cycles} times one of two servers is stopped, loses its conversations, and comes back`, async (t) => {
  const arena = await pair("actors", "actors");
  try {
    await underLoad(arena, cycles, async (number, load) => {
      const victim = arena.servers[number % 2];
      const before = await fenced(victim);
      process.kill(victim.pid, "SIGSTOP");
      try {
        await load.goesOn(takenOverAfter);  // by the other server
      } finally {
        process.kill(victim.pid, "SIGCONT");
      }
      await load.until("the zombie is refused", async () => await fenced(victim) > before);
    }, { perCycle: requestsPerCycle, watch: ["user 0", "user 1"] });
    t.diagnostic(await arena.check());
  } finally {
    await arena.dispose();
  }
});

test("a device that is removed at one server is cut off at the other", async () => {
  const world = await World.start();
  const { DATABASE_URL } = world.server.environment;
  const other = new Server(world.directory.url, { DATABASE_URL, CATBIRD_SECRET_FILE: join(world.server.folder, "data/catbird.secret") });
  const streams = [];
  try {
    await other.start();
    const [alice, bob] = await world.users("alice", "bob");
    await Convo.create(alice, [bob]);
    const { publicKey } = await newSigner();
    const { deviceId } = await bob.ok("registerDevice", { deviceName: "lost", deviceUUID: randomUUID(), keyPackages: [], signaturePublicKey: { $bytes: base64(publicKey) } });
    for (const user of [bob.on(deviceId), bob]) {
      const stream = new EventStream(other, { did: bob.did, token: (method) => user.identity.token(method) });
      await stream.open();
      streams.push(stream);
    }
    await bob.ok("deleteDevice", { deviceId });
    await streams[0].untilEnded();
    assert.equal(streams[0].events.at(-1).reason, "device-removed");
    assert.ok(!streams[1].ended, "the user's other streams go on");
  } finally {
    await Promise.all(streams.map((stream) => stream.close()));
    await other.dispose();
    await world.end();
  }
});
