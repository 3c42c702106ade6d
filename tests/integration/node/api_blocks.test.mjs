// SPDX-License-Identifier: MIT
// Blocks on Bluesky, read from the users' own data servers: who may come together, who is told, and
// what happens while a data server does not answer.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { DataServer } from "./lib/data_server.mjs";
import { EventSocket } from "./lib/event_socket.mjs";
import { EventStream } from "./lib/event_stream.mjs";
import { Convo, World } from "./lib/world.mjs";

let world;
let pds;
const open = [];
before(async () => {
  world = await World.start();
  pds = await DataServer.start();
});
after(async () => {
  await Promise.all(open.map((stream) => stream.close()));
  await world?.end();
  await pds?.close();
});

/** Users whose records are on the data server. */
async function hosted(...names) {
  const users = await world.users(...names);
  pds.host(world.directory, ...users);
  return users;
}
const creation = (creator, members) => {
  const convo = new Convo(Buffer.from(randomUUID().replaceAll("-", ""), "hex"));
  return { convo, input: { groupId: convo.id, cipherSuite: "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519", initialMembers: members.map(({ did }) => did) } };
};
const change = (blocker, blocked, action, blockUri) => ({ blockerDid: blocker.did, blockedDid: blocked.did, action, ...(blockUri ? { blockUri } : {}) });
const stats = async (admin, convo) => (await admin.ok("getAdminStats", { convoId: convo.id })).stats;

test("checkBlocks shows each block between the users named, and nothing else", async () => {
  const [alice, bob, carol, dave] = await hosted("alice", "bob", "carol", "dave");
  const first = pds.block(alice, bob);
  const second = pds.block(bob, alice);
  pds.block(carol, dave);
  const { blocks, checkedAt } = await dave.ok("checkBlocks", { dids: [alice.did, bob.did, carol.did] });
  const at = "2026-11-01T10:00:00.000Z";
  assert.deepEqual(blocks, [{ blockerDid: alice.did, blockedDid: bob.did, createdAt: at, blockUri: first },
    { blockerDid: bob.did, blockedDid: alice.did, createdAt: at, blockUri: second }]);
  assert.ok(Math.abs(Date.parse(checkedAt) - Date.now()) < 600_000);
  const asked = pds.requests;
  await carol.ok("checkBlocks", { dids: [alice.did, bob.did] });
  assert.equal(pds.requests, asked, "lists are kept");
  await dave.refused("checkBlocks", { dids: [alice.did] }, 400, "InvalidRequest");
  await dave.refused("checkBlocks", { dids: Array.from({ length: 101 }, (_, i) => `did:web:user${i}.example.com`) }, 400, "TooManyDids");
});

test("lists of many pages are read to their end, and who has no repository blocks nobody", async () => {
  const [alice, bob, gone] = await hosted("alice", "bob", "gone");
  const [unhosted] = await world.users("unhosted");
  pds.block(alice, bob);
  for (let i = 0; i < 250; i += 1) pds.block(alice, `did:web:other${i}.example.com`);
  pds.drop(gone);
  const { blocks } = await bob.ok("checkBlocks", { dids: [alice.did, bob.did, gone.did, unhosted.did] });
  assert.deepEqual(blocks.map(({ blockedDid }) => blockedDid), [bob.did]);
});

test("no conversation is made over a block, in either direction", async () => {
  const [alice, bob, carol] = await hosted("alice", "bob", "carol");
  pds.block(bob, alice);
  pds.block(bob, carol);
  await alice.refused("createConvo", creation(alice, [bob]).input, 403, "MutualBlockDetected");
  await alice.refused("createConvo", creation(alice, [carol, bob]).input, 403, "MutualBlockDetected");
  await alice.ok("createConvo", creation(alice, [carol]).input);
});

test("nobody is added over a block with a member, and a repetition hears what was done", async () => {
  const [alice, bob, carol, dave] = await hosted("alice", "bob", "carol", "dave");
  const convo = await Convo.create(alice, [bob]);
  pds.block(bob, carol);
  pds.block(carol, dave);
  // Bob's list was read when the conversation was made.
  const before = convo.epoch;
  await alice.refused("addMembers", convo.commit({ didList: [carol.did, dave.did] }), 403, "BlockedByMember");
  assert.equal(await alice.epochOf(convo.id), before, "nothing happened");
  const addition = convo.commit({ didList: [dave.did] });
  const done = await alice.ok("addMembers", addition);
  convo.epoch = done.newEpoch;
  assert.deepEqual(await alice.ok("addMembers", addition), done);
});

test("a data server that does not answer stops no conversation, and checkBlocks says so", async () => {
  const [alice, bob] = await hosted("alice", "bob");
  pds.block(bob, alice);
  pds.broken = true;
  const answer = await alice.tryOnce("checkBlocks", { dids: [alice.did, bob.did] });
  assert.equal(`${answer.status} ${answer.body.error}`, "502 BlueskyServiceUnavailable");
  assert.ok(answer.retryAfter);
  await alice.ok("createConvo", creation(alice, [bob]).input);
  pds.broken = false;
  const metrics = await (await fetch(`${world.server.url}/metrics`)).text();
  assert.match(metrics, /block_checks_total\{outcome="unknown"\} [1-9]/);
});

test("the admins hear of a block between members, once, and nobody else does", async () => {
  const [alice, bob, carol] = await hosted("alice", "bob", "carol");
  const convo = await Convo.create(alice, [bob, carol]);
  const other = await Convo.create(alice, [bob]);
  const stream = async (user) => {
    const one = new EventStream(world.server, user.owner, convo.id);
    open.push(one);
    await one.open();
    return one;
  };
  const [admin, member] = [await stream(alice), await stream(bob)];
  const socket = new EventSocket(alice, convo.id);
  open.push(socket);
  await socket.open();
  const uri = pds.block(bob, carol);

  await carol.refused("handleBlockChange", change(bob, carol, "created", uri), 403, "Unauthorized");
  await bob.refused("handleBlockChange", change(bob, bob, "created"), 400, "InvalidRequest");
  await bob.refused("handleBlockChange", change(bob, alice, "created"), 400, "BlockNotVerified");
  await bob.refused("handleBlockChange", change(bob, carol, "created", `${uri}x`), 400, "BlockNotVerified");
  await bob.refused("handleBlockChange", change(bob, carol, "removed"), 400, "BlockNotVerified");
  const { affectedConvos: [told, ...more] } = await bob.ok("handleBlockChange", change(bob, carol, "created", uri));
  assert.deepEqual(more, [], "not where only one of them is");
  assert.deepEqual([told.convoId, told.action, told.adminNotified], [convo.id, "admin_notified", true]);
  assert.ok(other.id);
  const again = await bob.ok("handleBlockChange", change(bob, carol, "created"));
  assert.deepEqual(again.affectedConvos, [told], "told once");

  await convo.send(alice);
  const isConflict = ({ info }) => info === "blockConflict";
  await admin.until(1);
  await member.until(1);
  await socket.untilRow(convo.id, 1);
  assert.deepEqual(admin.events.filter(isConflict).map(({ convoId, did, blockerDid }) => [convoId, did, blockerDid]), [[convo.id, carol.did, bob.did]]);
  assert.deepEqual(member.events.filter(isConflict), []);
  assert.deepEqual(socket.events.filter(isConflict).map(({ convoId }) => convoId), [convo.id]);
});

test("getBlockStatus is the admins', getAdminStats counts what they did about it", async () => {
  const [alice, bob, carol, dave] = await hosted("alice", "bob", "carol", "dave");
  const convo = await Convo.create(alice, [bob, carol, dave]);
  const [stranger] = await world.users("stranger");
  const quiet = await alice.ok("getBlockStatus", { convoId: convo.id });
  assert.deepEqual([quiet.hasConflicts, quiet.blocks, quiet.memberCount], [false, [], 4]);
  await bob.refused("getBlockStatus", { convoId: convo.id }, 403, "NotAdmin");
  await stranger.refused("getBlockStatus", { convoId: convo.id }, 403, "NotMember");
  for (const who of [bob, stranger]) await who.refused("getAdminStats", { convoId: convo.id }, 403, "NotAuthorized");
  await alice.refused("getAdminStats", {}, 403, "NotAuthorized");

  const uri = pds.block(bob, carol);
  await bob.ok("handleBlockChange", change(bob, carol, "created", uri));
  const { hasConflicts, blocks } = await alice.ok("getBlockStatus", { convoId: convo.id });
  assert.deepEqual([hasConflicts, blocks.map(({ blockUri }) => blockUri)], [true, [uri]]);
  assert.equal((await stats(alice, convo)).blockConflictsResolved, 0);
  await bob.ok("reportMember", { convoId: convo.id, reportedDid: carol.did, category: "hate_speech", encryptedContent: { $bytes: "AAAA" } });
  await convo.remove(alice, carol);
  const { stats: counted, convoId } = await alice.ok("getAdminStats", { convoId: convo.id, since: "2026-01-01T00:00:00Z" });
  assert.equal(convoId, convo.id);
  assert.deepEqual([counted.totalReports, counted.pendingReports, counted.resolvedReports, counted.totalRemovals, counted.blockConflictsResolved, counted.reportsByCategory.hateSpeech],
    [1, 1, 0, 1, 1, 1]);
  const later = await alice.ok("getAdminStats", { convoId: convo.id, since: "2100-01-01T00:00:00Z" });
  assert.equal(later.stats.totalReports + later.stats.totalRemovals + later.stats.blockConflictsResolved, 0);
});

test("a block that was lifted and made again is told again", async () => {
  const [alice, bob, carol] = await hosted("alice", "bob", "carol");
  const convo = await Convo.create(alice, [bob, carol]);
  pds.block(bob, carol);
  await bob.ok("handleBlockChange", change(bob, carol, "created"));
  pds.unblock(bob, carol);
  const { affectedConvos } = await bob.ok("handleBlockChange", change(bob, carol, "removed"));
  assert.deepEqual(affectedConvos, [{ convoId: convo.id, action: "no_action", adminNotified: false }]);
  const stream = new EventStream(world.server, alice.owner, convo.id);
  open.push(stream);
  await stream.open();
  pds.block(bob, carol);
  await bob.ok("handleBlockChange", change(bob, carol, "created"));
  await stream.untilNews(1);
  assert.deepEqual(stream.news, [`blockConflict ${carol.did}`]);
});
