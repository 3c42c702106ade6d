// SPDX-License-Identifier: MIT
// One group's life with independent MLS clients over real HTTP: every member ends with the same
// secret and has decrypted every message of its membership exactly once, whatever raced, was lost,
// or was restarted in between.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { request } from "node:http";
import { after, before, test } from "node:test";
import { Directory } from "./lib/directory.mjs";
import { EventStream } from "./lib/event_stream.mjs";
import { Member, serverEpochIn } from "./lib/member.mjs";
import { base64, fromBase64, hex, newKeyPackage, newSignatureKey, sameBytes, suiteNamed } from "./lib/mls.mjs";
import { Server } from "./lib/server.mjs";

let directory, server;
before(async () => {
  directory = await Directory.start();
  server = new Server(directory.url);
  await server.start();
});
after(async () => {
  await server?.dispose();
  await directory?.close();
});

const refusedWith = (status) => (error) => {
  assert.equal(error.status, status, String(error));
  return true;
};

/** Sends a request whole and drops the connection before the answer can be read. */
async function postAndHangUp(member, method, input) {
  const token = await member.identity.token(`blue.catbird.mls.${method}`);
  const body = JSON.stringify(input);
  await new Promise((resolve) => {
    const call = request(`${server.url}/xrpc/blue.catbird.mls.${method}`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${token}`, "content-type": "application/json",
        "content-length": Buffer.byteLength(body),
      },
    });
    call.on("error", resolve);
    call.on("close", resolve);
    call.end(body, () => call.destroy());
  });
}

test("a group lives through races, lost replies, restarts, and people coming and going", async (t) => {
  const people = {};
  for (const name of ["alice", "bob", "carol", "dave"]) {
    // Bob's tokens are ES256, the others' ES256K.
    const identity = await directory.newUser(name, name === "bob" ? "p256" : "k256");
    people[name] = await Member.create(server, identity);
  }
  const { alice, bob, carol, dave } = people;
  const ledger = [];  // every acknowledged message
  const say = async (member, text) => ledger.push(await member.send(text));
  let stream;      // alice's, of the one conversation
  let daveStream;  // of whatever conversations dave is in, opened before he is in any

  await t.test("key packages are published and counted", async () => {
    for (const member of Object.values(people)) {
      const answer = await member.publishKeyPackages(4);
      assert.equal(answer.succeeded, 4);
      assert.equal(answer.failed, 0);
      await member.xrpc.post("publishKeyPackage", await member.makeKeyPackage());
      const stats = await member.xrpc.get("getKeyPackageStats");
      assert.equal(stats.available, 5);
      assert.equal(stats.needsReplenish, stats.available < stats.threshold);
    }
  });

  await t.test("key packages are for one suite, and of one owner", async () => {
    const cipherSuite = "MLS_128_DHKEMP256_AES128GCM_SHA256_P256";
    const p256 = await suiteNamed(cipherSuite);
    const made = await newKeyPackage(dave.did, await newSignatureKey(p256), p256);
    const keyPackage = base64(made.bytes);
    await assert.rejects(alice.xrpc.post("publishKeyPackage", { keyPackage, cipherSuite }), refusedWith(400));
    const spoiled = Uint8Array.from(made.bytes, (byte, index) => (index === made.bytes.length - 1 ? byte ^ 1 : byte));
    await assert.rejects(dave.xrpc.post("publishKeyPackage", { keyPackage: base64(spoiled), cipherSuite }), refusedWith(400));

    await dave.xrpc.post("publishKeyPackage", { keyPackage, cipherSuite });

    const given = await alice.xrpc.get("getKeyPackages", { dids: [dave.did], cipherSuite });
    assert.equal(given.keyPackages.length, 1);
    assert.ok(sameBytes(fromBase64(given.keyPackages[0].keyPackage), made.bytes));
    const again = await alice.xrpc.get("getKeyPackages", { dids: [dave.did], cipherSuite });
    assert.deepEqual(again.keyPackages, given.keyPackages);
    const none = await bob.xrpc.get("getKeyPackages", { dids: [dave.did], cipherSuite });
    assert.deepEqual(none, { keyPackages: [], missing: [dave.did] });
  });

  await t.test("alice creates a conversation, and nobody else can see it", async () => {
    const convo = await alice.createConvo();
    assert.equal(convo.groupId, alice.convoId);
    assert.deepEqual(convo.members.map(({ did }) => did), [alice.did]);
    await assert.rejects(bob.xrpc.get("getEpoch", { convoId: alice.convoId }), refusedWith(403));
    stream = new EventStream(server, alice.identity, alice.convoId);
    await stream.open();
    daveStream = new EventStream(server, dave.identity);
    await daveStream.open();
  });

  await t.test("bob and carol are added and join by the one Welcome", async () => {
    await alice.add([bob, carol]);
    for (const member of [bob, carol]) {
      await member.joinByWelcome(alice.convoId);
      await member.xrpc.post("confirmWelcome", { convoId: alice.convoId, success: true });
      await assert.rejects(member.xrpc.get("getWelcome", { convoId: alice.convoId }), refusedWith(404));
    }
    const listed = await bob.xrpc.get("getConvos");
    assert.deepEqual(listed.conversations.map(({ id }) => id), [alice.convoId]);
    assert.deepEqual(listed.conversations[0].members.map(({ did }) => did).sort(),
      [alice.did, bob.did, carol.did].sort());
  });

  await t.test("messages go both ways", async () => {
    for (let round = 0; round < 3; round += 1) {
      for (const member of [alice, bob, carol]) await say(member, `${member.name} ${round}`);
    }
    for (const member of [alice, bob, carol]) await member.sync();
    await stream.until(alice.seq);
  });

  await t.test("of two commits at once one wins; the loser catches up and builds again", async () => {
    const before = alice.epoch;
    await Promise.all([alice.add([dave]), bob.commitOnly()]);
    assert.equal(alice.conflicts + bob.conflicts, 1);
    for (const member of [alice, bob, carol]) await member.sync();
    assert.equal(alice.epoch, before + 2);
    await dave.joinByWelcome(alice.convoId);
    await say(dave, "dave is in");
    const { currentEpoch } = await carol.xrpc.get("getEpoch", { convoId: alice.convoId });
    assert.equal(currentEpoch, before + 2);
  });

  await t.test("a stale message is refused with the server's epoch in the message", async () => {
    const staleEpoch = carol.epoch;
    const made = await carol.send("carol before the commit");
    ledger.push(made);
    await bob.sync();
    await bob.commitOnly({ asPublic: true });
    await assert.rejects(carol.xrpc.post("sendMessage", { ...made.input, msgId: randomUUID() }), (error) => {
      assert.equal(error.status, 409);
      assert.equal(error.body.error, "Conflict");
      assert.equal(serverEpochIn(error), staleEpoch + 1);
      return true;
    });
    await say(carol, "carol after catching up");
  });

  await t.test("a message whose reply is lost is sent again and stands there once", async () => {
    const sent = await bob.sync().then(() => bob.send("bob, answered twice"));
    ledger.push(sent);
    const { input, text, from, ...first } = sent;
    assert.deepEqual(await bob.xrpc.post("sendMessage", input), first);

    await alice.sync();
    const lost = { convoId: alice.convoId };
    const real = alice.xrpc.post;
    alice.xrpc.post = async function post(method, body) {
      alice.xrpc.post = real;
      await postAndHangUp(alice, method, body);
      Object.assign(lost, body);
      return real.call(alice.xrpc, method, body);
    };
    await say(alice, "alice, never heard the first time");
    assert.deepEqual(await alice.xrpc.post("sendMessage", lost).then(({ seq }) => seq), ledger.at(-1).seq);
  });

  await t.test("a commit whose reply is lost gets its first answer again, even epochs later", async () => {
    await bob.sync();
    const input = {
      convoId: bob.convoId, didList: [], idempotencyKey: randomUUID(), ...await bob.stage([]),
    };
    await postAndHangUp(bob, "addMembers", input);
    const answer = await bob.xrpc.post("addMembers", input);
    bob.merge(answer.newEpoch);
    await alice.sync();
    await alice.commitOnly();
    assert.deepEqual(await bob.xrpc.post("addMembers", input), answer);
  });

  await t.test("a restart is not noticed", async () => {
    await stream.close();
    await daveStream.close();
    await server.stop();
    await server.start();
    await say(alice, "alice after the restart");
    await stream.open();
    await daveStream.open();
    await stream.until(ledger.at(-1).seq);
    for (const member of [alice, bob, carol, dave]) await member.sync();
  });

  await t.test("carol is removed: she reads the commit that removed her and nothing later", async () => {
    const carolStream = new EventStream(server, carol.identity, alice.convoId);
    await carolStream.open();
    await alice.remove(carol, { asPublic: true });
    await say(alice, "without carol");
    await carol.sync();
    await carolStream.untilEnded();
    assert.deepEqual(carolStream.rows, carol.rows.slice(-1));
    assert.deepEqual(carolStream.notices, ["removed"]);
    assert.equal(carol.group.groupActiveState.kind, "removedFromGroup");
    assert.equal(carol.seq, carol.removedBy);
    await assert.rejects(carol.xrpc.get("getEpoch", { convoId: alice.convoId }), refusedWith(403));
    for (const member of [bob, dave]) await member.sync();
  });

  await t.test("kill -9 loses nothing that was acknowledged", async () => {
    await say(bob, "bob just before the kill");
    await server.kill9();
    await Promise.all([stream.close(), daveStream.close()]);
    await server.start();
    await Promise.all([stream.open(), daveStream.open()]);
    await say(dave, "dave just after it");
    await stream.until(ledger.at(-1).seq);
    for (const member of [alice, bob, dave]) await member.sync();
  });

  await t.test("everyone talks and commits at once, and nobody is left behind", async () => {
    const present = [alice, bob, dave];
    for (let round = 0; round < 4; round += 1) {
      const busy = present.map(async (member, index) => {
        if (index === round % present.length) await member.commitOnly({ asPublic: round % 2 === 0 });
        await say(member, `${member.name} in round ${round}`);
        if (index !== round % present.length) await member.commitOnly();
      });
      await Promise.all(busy);
      for (const member of present) await member.sync();
      assert.equal(new Set(present.map(({ epoch }) => epoch)).size, 1);
    }
  });

  await t.test("dave leaves: his proposal, someone's commit, then the member list", async () => {
    await dave.proposeToLeave();
    await bob.sync();
    await bob.commitOnly();
    await dave.sync();
    assert.equal(dave.group.groupActiveState.kind, "removedFromGroup");
    await daveStream.until(dave.seq);
    const left = await dave.xrpc.post("leaveConvo", { convoId: alice.convoId });
    assert.deepEqual(await dave.xrpc.post("leaveConvo", { convoId: alice.convoId }), left);
    await assert.rejects(dave.xrpc.get("getEpoch", { convoId: alice.convoId }), refusedWith(403));
    await say(bob, "without dave");
    await alice.sync();
  });

  await t.test("carol comes back with a new key package and a new Welcome", async () => {
    await alice.add([carol]);
    await carol.joinByWelcome(alice.convoId);
    await say(carol, "carol is back");
    for (const member of [alice, bob]) await member.sync();
  });

  await t.test("bob lost his state and rejoins by an external commit", async () => {
    await bob.rejoinByExternalCommit();
    await say(bob, "bob is back");
    for (const member of [alice, carol]) await member.sync();
    for (const member of [alice, carol]) await say(member, `${member.name} to bob`);
  });

  ledger.sort((left, right) => left.seq - right.seq);
  await t.test("all members share one secret and have read everything exactly once", async () => {
    const present = [alice, bob, carol];
    for (const member of present) await member.sync();
    const secrets = await Promise.all(present.map((member) => member.exportedSecret()));
    assert.equal(new Set(secrets.map(hex)).size, 1);
    for (const member of [...present, dave]) {
      const expected = ledger.filter(({ epoch, from }) => from !== member.did
        && member.memberships.some((span) => span.from <= epoch && epoch <= span.to));
      assert.deepEqual([...member.read.values()].map(({ text }) => text), expected.map(({ text }) => text),
        `what ${member.name} read`);
      const own = ledger.filter(({ from }) => from === member.did);
      own.forEach(({ messageId, seq }) => assert.equal(member.confirmed.get(messageId), seq));
    }
  });

  await t.test("the log has no gap, and the streams told all of it in order", async () => {
    assert.deepEqual(alice.rows.map(({ seq }) => seq), Array.from({ length: alice.seq }, (_, index) => index + 1));
    ledger.forEach(({ seq, messageId }) => assert.equal(alice.rows[seq - 1].id, messageId));
    await stream.until(alice.seq);
    assert.deepEqual(stream.rows, alice.rows);
    assert.deepEqual(daveStream.rows, dave.rows);
    assert.deepEqual([...stream.notices, ...daveStream.notices], ["keyPackagesLow"], "dave's fifth from the end was taken");
    await Promise.all([stream.close(), daveStream.close()]);
  });

  await t.test("a cursor of another log is told so, and the stream goes on from now", async () => {
    const elsewhere = new EventStream(server, alice.identity, alice.convoId);
    elsewhere.cursor = stream.cursor.replace(/^./, (first) => (first === "0" ? "1" : "0"));
    await elsewhere.open();
    await say(carol, "one more");
    await elsewhere.until(alice.seq + 1);
    assert.deepEqual(elsewhere.notices, ["outdated-cursor"]);
    assert.deepEqual(elsewhere.rows.map(({ seq }) => seq), [alice.seq + 1]);
    await elsewhere.close();
  });
});
