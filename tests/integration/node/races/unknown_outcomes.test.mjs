// SPDX-License-Identifier: MIT
// 500 requests whose answer never arrives, by a proxy between client and server. What became of each is
// found out by the same request again: nothing is lost, nothing is done twice, and who asks again is told
// the number of the first time. The whole is then held to the database by the checker.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { request as httpRequest } from "node:http";
import { after, before, describe, test } from "node:test";
import { FaultProxy, faults, harmless } from "../lib/fault_proxy.mjs";
import { applicationFrame, keyPackage, privateCommit } from "../lib/handmade.mjs";
import { shaOf } from "../lib/history.mjs";
import { suiteName } from "../lib/mls.mjs";
import { Arena, modes, scaled, userOf } from "../lib/race.mjs";

const wanted = scaled(Number(process.env.CATBIRD_UNKNOWN_OUTCOMES ?? 500));
const clients = 8;
const claimsAmong = 10;  // one in so many is a claim
const patienceMs = 100;  // after which a client gives up on a black hole; no outcome depends on it
const lossy = faults.filter((fault) => !harmless.includes(fault));
const twins = scaled(60);
const prefix = "/xrpc/blue.catbird.mls.";
const hex = (bytes) => Buffer.from(bytes).toString("hex");

/** One user: every request on a connection of its own, to whichever port is said, and in the log. */
class Client {
  constructor(run, name, arena, log) {
    Object.assign(this, userOf(run, name, arena.secret), { arena, log });
  }

  /** { status, body }, or undefined if no whole answer came. */
  async call({ op, method, fields, query, body }, port = Number(new URL(this.arena.server.url).port)) {
    const n = this.log.begin(op, this.did, fields);
    const text = body && JSON.stringify(body);
    const answer = await new Promise((done) => {
      const signal = port === this.arena.proxy.port("black-hole") ? AbortSignal.timeout(patienceMs) : undefined;
      const headers = { authorization: `Bearer ${this.token(`blue.catbird.mls.${method}`)}`, connection: "close",
        ...(text ? { "content-type": "application/json", "content-length": Buffer.byteLength(text) } : {}) };
      const asked = httpRequest({ port, host: "127.0.0.1", agent: false, signal, headers, method: text ? "POST" : "GET",
        path: `${prefix}${method}${query ? `?${query}` : ""}` }, (response) => {
        let received = "";
        response.setEncoding("utf8").on("data", (chunk) => { received += chunk; }).on("error", () => done())
          .on("end", () => done(response.complete ? { status: response.statusCode, body: JSON.parse(received) } : undefined));
      });
      asked.on("error", () => done());
      asked.end(text);
    });
    this.log.end(n, answer, answer?.status === 200 ? this.seen(op, answer.body) : {});
    return answer;
  }

  seen(op, body) {
    if (op === "send") return { seq: body.seq, epoch: body.epoch };
    if (op === "commit") return { epoch: body.newEpoch };
    if (op === "create") return { epoch: body.epoch };
    if (op === "epoch") return { epoch: body.currentEpoch };
    if (op === "claim") return { got: body.keyPackages.map((one) => [one.did, one.deviceId ?? "", one.keyPackageHash, one.lastResort ?? false]) };
    return {};
  }

  async ok(request) {
    const answer = await this.call(request);
    assert.equal(answer?.status, 200, JSON.stringify(answer));
    return answer.body;
  }
}

const creation = (groupId, members) => {
  const [convo, key] = [hex(groupId), randomUUID()];
  return { op: "create", method: "createConvo", fields: { convo, key, members, epoch: 0 },
    body: { groupId: convo, cipherSuite: suiteName, idempotencyKey: key, initialMembers: members } };
};

const message = (groupId, epoch) => {
  const [convo, id, frame] = [hex(groupId), randomUUID(), applicationFrame({ groupId, epoch })];
  return { op: "send", method: "sendMessage", fields: { convo, id, epoch, sha: shaOf(frame) },
    body: { convoId: convo, msgId: id, epoch, paddedSize: frame.length, ciphertext: { $bytes: frame.toString("base64") } } };
};

const commit = (groupId, epoch) => {
  const [convo, key, bytes] = [hex(groupId), randomUUID(), privateCommit({ groupId, epoch })];
  return { op: "commit", method: "addMembers", fields: { convo, key, base: epoch, sha: shaOf(bytes), adds: [], removes: [] },
    body: { convoId: convo, idempotencyKey: key, commit: bytes.toString("base64"), didList: [] } };
};

const claim = (did) => ({ op: "claim", method: "getKeyPackages", fields: { targets: [did] }, query: new URLSearchParams({ dids: did }) });
const upload = (made) => ({ op: "publish", method: "publishKeyPackages", fields: { device: "", hashes: made.map(({ bytes }) => shaOf(bytes)) },
  body: { keyPackages: made.map(({ bytes }) => ({ keyPackage: bytes.toString("base64"), cipherSuite: suiteName })) } });
const newGroup = () => crypto.getRandomValues(Buffer.alloc(16));

/** Sends `request` into `fault`, then again until it is answered; late ones arrive after that answer. */
async function resolve(client, request, fault, tally) {
  const { proxy } = client.arena;
  const lost = await client.call(request, proxy.port(fault));
  assert.equal(lost, undefined, `${fault} lets no answer through`);
  const answer = await client.call(request);
  assert.equal(answer?.status, 200, `${fault}, then ${request.method} again: ${JSON.stringify(answer)}`);
  if (fault === "late") {
    for (const late of await proxy.deliverLate()) tally.lateAnswers.push(late);
  }
  assert.deepEqual((await client.call(request)).body, answer.body, "and again the same");
  tally[fault] = (tally[fault] ?? 0) + 1;
  return answer.body;
}

for (const mode of modes) {
  describe(`unknown outcomes, mode ${mode}`, () => {
    let arena, log;
    before(async () => {
      arena = await Arena.start(mode);
      arena.proxy = await FaultProxy.start(() => Number(new URL(arena.server.url).port));
      log = arena.newLog("unknown");
    });
    after(async () => {
      await arena?.dispose();
      await arena?.proxy?.close();
    });

    test("the same request on three connections at once has one effect and three equal answers", async () => {
      const user = new Client("twins", "a", arena, log);
      const owner = new Client("twins", "owner", arena, log);
      const made = await keyPackage({ identity: owner.did });
      await owner.ok(upload([made]));
      const own = newGroup();
      await user.ok(creation(own, []));
      for (let epoch = 0; epoch < twins; epoch += 1) {
        for (const request of [message(own, epoch), creation(newGroup(), []), claim(owner.did), commit(own, epoch)]) {
          const answers = await Promise.all(harmless.map((fault) => user.call(request, arena.proxy.port(fault))));
          for (const answer of answers) {
            assert.equal(answer?.status, 200, `${request.method}: ${JSON.stringify(answer)}`);
            assert.deepEqual(answer.body, answers[0].body);
          }
        }
      }
    });

    test(`${wanted} unanswered requests, each done once`, async (t) => {
      const users = Array.from({ length: clients }, (_, index) => new Client("unknown", `user ${index}`, arena, log));
      const shared = newGroup();
      await users[0].ok(creation(shared, users.slice(1).map(({ did }) => did)));
      const owner = new Client("unknown", "owner", arena, log);
      const packages = await Promise.all(Array.from({ length: Math.ceil(wanted / claimsAmong) + clients }, () => keyPackage({ identity: owner.did })));
      for (let at = 0; at < packages.length; at += 50) {
        await owner.ok(upload(packages.slice(at, at + 50)));
      }
      const tally = { lateAnswers: [] };
      let begun = 0;
      await Promise.all(users.map(async (user, index) => {
        const own = newGroup();
        await user.ok(creation(own, []));
        let epoch = 0;
        while (begun < wanted) {
          const number = begun++;
          const fault = lossy[number % lossy.length];
          const kind = Math.floor(number / lossy.length) % claimsAmong;
          if (kind === 0) await resolve(new Client("unknown", `claimer ${number}`, arena, log), claim(owner.did), fault, tally);
          else if (kind === 1) await resolve(user, creation(newGroup(), []), fault, tally);
          else if (kind < 4) epoch = (await resolve(user, commit(own, epoch), fault, tally)).newEpoch;
          else await resolve(user, message(kind < 7 ? own : shared, kind < 7 ? epoch : 0), fault, tally);
        }
        assert.equal((await user.ok({ op: "epoch", method: "getEpoch", fields: { convo: hex(own) }, query: `convoId=${hex(own)}` })).currentEpoch, epoch, `${index}`);
      }));
      for (const { status } of tally.lateAnswers) assert.equal(status, 200, "what arrives after its retry gets the same answer");
      assert.equal(tally.lateAnswers.length, tally.late);
      t.diagnostic(lossy.map((fault) => `${fault} ${tally[fault]}`).join(", "));
    });

    test("all of it together is the history of one correct server", async (t) => {
      arena.logs.push(log.save());
      t.diagnostic(await arena.check());
    });
  });
}
