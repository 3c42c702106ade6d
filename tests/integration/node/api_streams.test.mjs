// SPDX-License-Identifier: MIT
// streamConvoEvents: what is in the store first, then what happens, in order, each once; said where
// it cannot go on from the cursor; ended where the reader's membership ends.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { EventStream } from "./lib/event_stream.mjs";
import { Convo, World } from "./lib/world.mjs";

let world;
const open = [];
before(async () => { world = await World.start(); });
after(async () => {
  await Promise.all(open.map((stream) => stream.close()));
  await world?.end();
});

async function follow(user, convo, cursor) {
  const stream = new EventStream(world.server, user.identity, convo?.id);
  if (cursor) stream.cursor = cursor;
  open.push(stream);
  await stream.open();
  return stream;
}

const seqs = (stream) => stream.rows.map(({ seq }) => seq);

test("live rows come in order, commits included, as getMessages shows them", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const convo = await Convo.create(alice, [bob]);
  await convo.send(alice);
  const stream = await follow(bob, convo);
  await convo.send(alice);
  await convo.commitOnly(bob);
  await convo.send(bob);
  await stream.until(4);
  const rows = await bob.rows(convo.id);
  assert.deepEqual(stream.rows, rows.slice(1), "only from now on, without a cursor");
  assert.deepEqual(stream.rows.map(({ messageType }) => messageType), ["app", "commit", "app"]);
  assert.equal(new Set(stream.events.map(({ cursor }) => cursor)).size, 3);
  const cursors = stream.events.map(({ cursor }) => cursor);
  assert.deepEqual([...cursors].sort(), cursors, "cursors go up");
});

test("from any cursor exactly what came after it is replayed, then goes on live", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const convo = await Convo.create(alice, [bob]);
  const first = await follow(bob, convo);
  for (let count = 0; count < 6; count += 1) await (count === 3 ? convo.commitOnly(alice) : convo.send(alice));
  await first.until(6);
  const events = first.events.slice(0, 6);
  for (const [index, { cursor }] of events.entries()) {
    const again = await follow(bob, convo, cursor);
    await convo.send(alice);
    const last = (await bob.rows(convo.id)).at(-1).seq;
    await again.until(last);
    assert.deepEqual(seqs(again), Array.from({ length: last - index - 1 }, (_, step) => index + 2 + step));
    await again.close();
  }
});

test("a long log is replayed whole, over a restart", async () => {
  const alice = await world.user("alice");
  const convo = await Convo.create(alice);
  const begin = await follow(alice, convo);
  await convo.send(alice);
  await begin.until(1);
  await begin.close();
  for (let count = 0; count < 450; count += 50) {
    await Promise.all(Array.from({ length: 50 }, () => convo.send(alice)));
  }
  await world.restart();
  const again = await follow(alice, convo, begin.cursor);
  await again.until(451);
  assert.deepEqual(seqs(again), Array.from({ length: 450 }, (_, index) => index + 2));
  assert.deepEqual(again.notices, []);
});

test("a row is readable by the time it is on the stream", async () => {
  const alice = await world.user("alice");
  const convo = await Convo.create(alice);
  const stream = await follow(alice, convo);
  const sending = convo.send(alice);
  await stream.until(1);
  const rows = await alice.rows(convo.id);
  assert.deepEqual(rows, stream.rows);
  await sending;
});

test("a cursor that is none is refused before the stream begins", async () => {
  const alice = await world.user("alice");
  const convo = await Convo.create(alice);
  for (const cursor of ["x", "01KAZZZZZZZZZZZZZZZZZZZZZ0", "-1", "abc-", "abc-12", "-0000000000000001", `${"a".repeat(70)}-0000000000000001`, "a-000000000000000x"]) {
    await alice.refused("streamConvoEvents", { convoId: convo.id, cursor }, 400, "InvalidCursor");
    await alice.refused("streamConvoEvents", { cursor }, 400, "InvalidCursor");
  }
});

test("a cursor of another log or of the future is told so first, then from now", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const convo = await Convo.create(alice, [bob]);
  const stream = await follow(bob, convo);
  await convo.send(alice);
  await stream.until(1);
  const [incarnation, position] = stream.cursor.split(/-(?=\d+$)/);
  const foreign = `${incarnation.replace(/^./, (first) => (first === "0" ? "1" : "0"))}-${position}`;
  const future = `${incarnation}-${"9".repeat(16)}`;
  for (const [cursor, reason] of [[foreign, "outdated-cursor"], [future, "future-cursor"]]) {
    const told = await follow(bob, convo, cursor);
    const { seq } = await convo.send(alice);
    await told.until(seq);
    assert.deepEqual(told.events.map(({ type }) => type), ["infoEvent", "messageEvent"]);
    assert.deepEqual(told.notices, [reason]);
    assert.deepEqual(seqs(told), [seq]);
    await told.close();
    const resumed = await follow(bob, convo, told.events[0].cursor);
    await resumed.until(seq);
    assert.deepEqual(seqs(resumed), [seq], "the notice's own cursor is good");
  }
});

const departures = {
  "removed by a commit": { go: (convo, alice, bob) => convo.remove(alice, bob), rows: [1, 2] },
  "removed without a commit": { go: (convo, alice, bob) => alice.ok("removeMember", { convoId: convo.id, targetDid: bob.did }), rows: [1] },
  "left": { go: (convo, alice, bob) => bob.ok("leaveConvo", { convoId: convo.id }), rows: [1] },
};
for (const [how, { go, rows }] of Object.entries(departures)) {
  test(`the stream of who was ${how} says so and ends, with nothing later on it`, async () => {
    const [alice, bob] = await world.users("alice", "bob");
    const convo = await Convo.create(alice, [bob]);
    const [stream, wide] = [await follow(bob, convo), await follow(bob)];
    await convo.send(alice);
    await go(convo, alice, bob);
    await convo.send(alice);
    await stream.untilEnded();
    assert.deepEqual(seqs(stream), rows);
    assert.deepEqual(stream.notices, ["removed"]);
    const other = await Convo.create(alice, [bob]);
    await other.send(alice);
    await wide.untilRow(other.id);
    assert.deepEqual(wide.rows.filter(({ convoId }) => convoId === convo.id).map(({ seq }) => seq), rows);
  });

  test(`who was ${how} while away gets the rest of its window by cursor, and nothing later`, async () => {
    const [alice, bob] = await world.users("alice", "bob");
    const [convo, other] = [await Convo.create(alice, [bob]), await Convo.create(alice, [bob])];
    const wide = await follow(bob);
    await other.send(alice);
    await wide.untilRow(other.id);
    await wide.close();
    await convo.send(alice);
    await go(convo, alice, bob);
    await convo.send(alice);
    await other.send(alice);
    const again = await follow(bob, undefined, wide.cursor);
    await again.untilRow(other.id, 2);
    assert.ok(again.rows.every((row) => row.convoId === other.id || rows.includes(row.seq)), JSON.stringify(seqs(again)));
    await bob.refused("streamConvoEvents", { convoId: convo.id, cursor: wide.cursor }, 403, "NotMember");
  });
}

test("the stream of all conversations takes up new ones, and one that is rejoined", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const before = await Convo.create(alice, [bob]);
  const wide = await follow(bob);
  const created = await Convo.create(alice, [bob]);
  const joined = await Convo.create(alice);
  await joined.send(alice);
  await joined.add(alice, [bob]);
  for (const convo of [before, created, joined]) await convo.send(alice);
  await wide.untilRow(joined.id);
  assert.deepEqual(wide.rows.map(({ convoId, seq }) => [convoId, seq]), [[before.id, 1], [created.id, 1], [joined.id, 3]]);
  await joined.remove(alice, bob);
  await joined.send(alice);
  await joined.add(alice, [bob]);
  await joined.send(alice);
  await wide.untilRow(joined.id, 7);
  assert.deepEqual(wide.rows.filter(({ convoId }) => convoId === joined.id).map(({ seq }) => seq), [3, 4, 7]);
});

test("the stream of someone in no conversation is open and waits for the first", async () => {
  const [alice, bob] = await world.users("alice", "bob");
  const wide = await follow(bob);
  assert.deepEqual(wide.events, []);
  const convo = await Convo.create(alice, [bob]);
  await convo.send(alice);
  await wide.untilRow(convo.id);
  assert.deepEqual(seqs(wide), [1]);
});

test("two streams of one user, and those of others, all get every row", async () => {
  const users = await world.users("alice", "bob", "carol");
  const convo = await Convo.create(users[0], users.slice(1));
  const streams = await Promise.all([...users, users[0]].map((user) => follow(user, convo)));
  await Promise.all(users.flatMap((user) => Array.from({ length: 10 }, () => convo.send(user))));
  for (const stream of streams) {
    await stream.until(30);
    assert.deepEqual(seqs(stream), Array.from({ length: 30 }, (_, index) => index + 1));
  }
});

test("a writer during the switch from replay to live is neither lost nor doubled", async () => {
  const alice = await world.user("alice");
  const convo = await Convo.create(alice);
  const begin = await follow(alice, convo);
  await convo.send(alice);
  await begin.until(1);
  await begin.close();
  for (let round = 0; round < 5; round += 1) {
    const writing = Promise.all(Array.from({ length: 40 }, () => convo.send(alice)));
    const again = await follow(alice, convo, begin.cursor);
    await writing;
    const last = 1 + 40 * (round + 1);
    await again.until(last);
    assert.deepEqual(seqs(again), Array.from({ length: last - 1 }, (_, index) => index + 2));
    await again.close();
  }
});
