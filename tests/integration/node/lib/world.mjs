// SPDX-License-Identifier: MIT
// One server with its directory and users, for tests of the interface: raw answers, no retries except
// of 503, and at the end the whole log is searched for what must never be in it.
import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { jsonToLex } from "@atproto/lexicon";
import { Directory } from "./directory.mjs";
import { applicationFrame, groupInfoAt, keyPackage, privateCommit, welcomeFor } from "./handmade.mjs";
import { suiteName } from "./mls.mjs";
import { Server } from "./server.mjs";
import { Xrpc, lexicons } from "./xrpc.mjs";

export const prefix = "blue.catbird.mls.";
export const suite1 = suiteName;
export const base64 = (bytes) => Buffer.from(bytes).toString("base64");
export const bytesOf = (value) => Buffer.from(value.$bytes ?? value, "base64");
const triesMax = 20;
const pauseMsMax = 1000;
const secretCharactersMin = 12;

export const queryOf = (parameters) => {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(parameters)) {
    for (const item of [value].flat()) query.append(key, String(item));
  }
  return query;
};

export const isQuery = (method) => lexicons.getDefOrThrow(prefix + method).type !== "procedure";

/** A user of one world. `device` goes into the fragment of `iss`. */
export class User extends Xrpc {
  constructor(world, identity, device) {
    super(world.server, {
      did: identity.did,
      token: (nsid) => world.secret(identity.on(device).token(nsid)),
    });
    Object.assign(this, { world, did: identity.did, device, owner: identity });
  }

  /** The same person on a named device. */
  on(device) {
    return new User(this.world, this.owner, device);
  }

  /** One try, whatever its answer is. */
  tryOnce(method, input = {}) {
    const query = isQuery(method) ? `?${queryOf(input)}` : "";
    const init = isQuery(method) ? { method: "GET" } : {
      method: "POST", headers: { "content-type": "application/json" },
      body: typeof input === "string" || input instanceof Uint8Array ? input : JSON.stringify(input),
    };
    return this.once(method, query, init);
  }

  /** One answer, whatever it is. A 503 says: the same again with a fresh token. */
  async call(method, input = {}) {
    for (let tries = 1; ; tries += 1) {
      const answer = await this.tryOnce(method, input);
      if (answer.status !== 503 || tries === triesMax) return answer;
      assert.ok(answer.retryAfter, "503 has Retry-After");
      await new Promise((resume) => setTimeout(resume, Math.min(Number(answer.retryAfter) * 1000, pauseMsMax)));
    }
  }

  /** Success, in the lexicon's form. */
  async ok(method, input) {
    const { status, body } = await this.call(method, input);
    assert.equal(status, 200, `${method}: ${status} ${body.error}: ${body.message}`);
    lexicons.assertValidXrpcOutput(prefix + method, jsonToLex(body));
    return body;
  }

  /** Refusal with this status and this name. */
  async refused(method, input, status, name) {
    const answer = await this.call(method, input);
    assert.equal(`${answer.status} ${answer.body.error}`, `${status} ${name}`, `${method}: ${JSON.stringify(answer.body).slice(0, 300)}`);
    return answer.body;
  }

  async rows(convoId, limit = 100) {
    const rows = [];
    for (;;) {
      const page = await this.ok("getMessages", { convoId, limit, ...(rows.length ? { sinceSeq: rows.at(-1).seq } : {}) });
      rows.push(...page.messages);
      if (page.messages.length < limit) return rows;
    }
  }

  async epochOf(convoId) {
    return (await this.ok("getEpoch", { convoId })).currentEpoch;
  }

  async viewOf(convoId) {
    return (await this.ok("getConvos")).conversations.find(({ id }) => id === convoId);
  }

  async unread(convoId) {
    return (await this.viewOf(convoId)).unreadCount;
  }

  /** Publishes one new key package; `as` is the credential's identity. */
  async publish({ as = this.device ? `${this.did}#${this.device}` : this.did, ...options } = {}) {
    const made = await keyPackage({ identity: as, ...options });
    await this.ok("publishKeyPackage", { keyPackage: base64(made.bytes), cipherSuite: suite1 });
    return made;
  }
}

/** A conversation of hand-made bytes; knows the epoch the server should be at. */
export class Convo {
  static async create(creator, members = [], extra = {}) {
    const convo = new Convo(randomBytes(16));
    const view = await creator.ok("createConvo", {
      groupId: convo.id, cipherSuite: suite1, idempotencyKey: randomUUID(),
      initialMembers: members.map(({ did }) => did), ...extra,
    });
    return Object.assign(convo, { epoch: view.epoch, view });
  }

  constructor(groupId, epoch = 0) {
    Object.assign(this, { groupId, epoch, id: groupId.toString("hex") });
  }

  get where() {
    return { groupId: this.groupId, epoch: this.epoch };
  }

  message(extra = {}) {
    const frame = applicationFrame(this.where);
    return { convoId: this.id, msgId: randomUUID(), epoch: this.epoch, paddedSize: frame.length, ciphertext: { $bytes: base64(frame) }, ...extra };
  }

  async send(user, extra) {
    const input = this.message(extra);
    user.world.secret(input.ciphertext.$bytes.slice(0, 80));
    return { input, ...await user.ok("sendMessage", input) };
  }

  /** Fields of a request with a commit on the current epoch. */
  commit(extra = {}) {
    return { convoId: this.id, idempotencyKey: randomUUID(), commit: base64(privateCommit(this.where)), ...extra };
  }

  /** Any method with a commit, accepted. */
  async change(user, method, extra) {
    const input = this.commit(extra);
    const answer = await user.ok(method, input);
    this.epoch += 1;
    assert.equal(answer.newEpoch, this.epoch);
    return { input, answer };
  }

  add(user, others, extra) {
    return this.change(user, "addMembers", { didList: others.map(({ did }) => did), ...extra });
  }

  remove(user, other, extra) {
    return this.change(user, "removeMember", { targetDid: other.did, ...extra });
  }

  commitOnly(user, extra) {
    return this.change(user, "addMembers", { didList: [], ...extra });
  }

  /** Adds by key packages as clients do: reserved, then named by the Welcome. */
  async addByWelcome(user, other, extra) {
    const { keyPackages } = await user.ok("getKeyPackages", { dids: [other.did] });
    assert.ok(keyPackages.length > 0, "a key package is there");
    const refs = keyPackages.map(({ keyPackageHash }) => user.world.refs.get(keyPackageHash));
    return this.add(user, [other], { welcomeMessage: base64(welcomeFor(refs)), ...extra });
  }

  groupInfo(epoch = this.epoch) {
    return groupInfoAt({ groupId: this.groupId, epoch });
  }
}

export class World {
  #secrets = new Set();
  refs = new Map();  // SHA-256 of a key package -> its KeyPackageRef, where a test noted it

  static async start(environment = {}, wrapper = []) {
    const world = new World();
    world.directory = await Directory.start();
    world.server = new Server(world.directory.url, { RUST_LOG: "trace", ...environment });
    world.server.wrapper = wrapper;
    await world.server.start();
    return world;
  }

  async user(name, keyType) {
    const identity = await this.directory.newUser(name, keyType);
    this.secret(identity.did.slice("did:plc:".length));
    return new User(this, identity);
  }

  users(...names) {
    return Promise.all(names.map((name) => this.user(name)));
  }

  /** Notes what must never appear in the log; gives it back. */
  secret(value) {
    if (value instanceof Promise) return value.then((text) => this.secret(text));
    assert.ok(value.length >= secretCharactersMin);
    this.#secrets.add(value.length > 200 ? value.slice(-60) : value);
    return value;
  }

  async restart() {
    await this.server.stop();
    await this.server.start();
  }

  /** The end of a test file: a clean stop, and a log without secrets. */
  async end() {
    try {
      await this.server?.stop();
      for (const line of this.server.lines) {
        assert.doesNotMatch(line, /did:plc:|AddressSanitizer|runtime error/, line);
        for (const secret of this.#secrets) assert.ok(!line.includes(secret), `a secret is in the log: ${line}`);
      }
    } finally {
      await this.server?.dispose();
      await this.directory?.close();
    }
  }
}
