// SPDX-License-Identifier: MIT
// The wall clock jumps by a year or an hour, forwards and backwards, under a running server and while it
// is down: numbers, epochs and stream cursors go on as if nothing had happened (L4).
import assert from "node:assert/strict";
import { test } from "node:test";
import { EventStream } from "../lib/event_stream.mjs";
import { FaultServer, assertSound, full } from "../lib/fault_server.mjs";
import { Convo } from "../lib/world.mjs";

const hourMs = 3_600_000;
const yearMs = 365 * 24 * hourMs;
const positions = [yearMs, 0, -yearMs, 0, -hourMs, yearMs, -yearMs, hourMs, -hourMs, 0];  // from the true time
const rounds = full ? 5 : 1;

test("numbers, epochs and cursors do not follow the clock", async (t) => {
  const server = new FaultServer();
  t.after(() => server.dispose());
  await server.start();
  const [alice, bob] = [server.user("alice"), server.user("bob")];
  const convo = await Convo.create(alice, [bob]);
  const stream = new EventStream(server, bob.identity, convo.id);
  await stream.open();
  let jumps = 0;
  let rows = 0;
  const work = async () => {
    for (let count = 0; count < 3; count += 1) {
      rows += 1;
      assert.equal((await convo.send(count % 2 ? alice : bob)).seq, rows);
    }
    rows += 1;
    await convo.commitOnly(alice);
    const [last] = await alice.rows(convo.id).then((all) => all.slice(-1));
    const off = Date.parse(last.createdAt) - (Date.now() + server.clockOffsetMs);
    assert.ok(Math.abs(off) < hourMs / 2, "the server's clock did move");
    await stream.until(rows);
  };
  await work();
  for (let round = 0; round < rounds; round += 1) {
    for (const position of positions) {
      server.moveClock(position);
      jumps += 1;
      await work();
      if (jumps % 3 !== 0) continue;
      // The same while the server is down, and the stream goes on by its cursor.
      await stream.close();
      await server.stop();
      server.moveClock(-position);
      jumps += 1;
      await server.start();
      await stream.open();
      await work();
    }
  }
  await stream.close();
  const seen = stream.rows.map((row) => row.seq);
  assert.deepEqual(seen, seen.map((_, index) => index + 1), "every row once and in order, over all connections");
  assert.equal(seen.length, rows);
  assert.deepEqual(stream.notices, []);
  assert.deepEqual((await alice.rows(convo.id)).map(({ seq }) => seq), seen);
  assert.equal(await alice.epochOf(convo.id), convo.epoch);
  await assertSound(server);
  t.diagnostic(`${jumps} jumps, ${rows} rows`);
});
