// SPDX-License-Identifier: MIT
// A chat client as a person runs it: MLS by ts-mls, delivery by our server, nothing shared with other
// members except what goes through the server.
import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import {
  base64, decode, encode, exportedSecret, framed, fromBase64, groupInfoOf, hex, mls, newKeyPackage,
  newSignatureKey, sameBytes, suite, suiteName, unframed, utf8,
} from "./mls.mjs";
import { Xrpc } from "./xrpc.mjs";

const triesMax = 10;
const blurMs = 2000;
const pageRows = 7;  // Small, so that paging is used.

/** The server's epoch, which a refusal must name in its message: a proxy keeps nothing else. */
export function serverEpochIn(error) {
  const named = /^EpochMismatch: serverEpoch=(\d+)/.exec(error.body?.message ?? "");
  assert.ok(named, `no server epoch in: ${error.body?.message}`);
  if (error.body.serverEpoch !== undefined) assert.equal(error.body.serverEpoch, Number(named[1]));
  return Number(named[1]);
}

export class Member {
  #keyPackages = new Map();  // reference -> key package with its private part
  #staged;                   // our own commit, sent and not yet known to be accepted
  #sent = new Map();         // msgId -> text
  #justJoined = false;       // until the first row after a Welcome
  group;
  seq = 0;                   // the last row processed
  read = new Map();          // row id -> { seq, epoch, text }: what was decrypted, each once
  confirmed = new Map();     // row id -> seq: own messages seen in the log, each once
  rows = [];                 // every row the server showed, in order
  memberships = [];          // [{ from, to }]: epochs in which messages can be read
  conflicts = 0;

  static async create(server, identity) {
    const member = new Member();
    member.signatureKey = await newSignatureKey();
    return Object.assign(member, { server, identity, name: identity.name, did: identity.did, xrpc: new Xrpc(server, identity) });
  }

  get epoch() {
    return Number(this.group.groupContext.epoch);
  }

  get membership() {
    return this.memberships.at(-1);
  }

  // --- key packages ---

  /** A device that registers under the user's own key, with packages inline, as apps do at first launch. */
  static async registerDevice(server, identity, deviceName, count) {
    const member = await Member.create(server, identity);
    const made = await Promise.all(Array.from({ length: count }, () => member.makeKeyPackage()));
    const { deviceId, mlsDid } = await member.xrpc.post("registerDevice", {
      deviceName, deviceUUID: randomUUID(), signaturePublicKey: { $bytes: base64(member.signatureKey.publicKey) },
      keyPackages: made.map((one) => ({ ...one, expires: new Date(Date.now() + 7 * 86_400_000).toISOString() })),
    });
    assert.equal(mlsDid, `${identity.did}#${deviceId}`);
    member.identity = identity.on(deviceId);
    member.xrpc = new Xrpc(server, member.identity);
    return Object.assign(member, { deviceId, name: deviceName });
  }

  async makeKeyPackage() {
    const made = await newKeyPackage(this.did, this.signatureKey);
    this.#keyPackages.set(made.ref, made);
    return { keyPackage: base64(made.bytes), cipherSuite: suiteName };
  }

  async publishKeyPackages(count) {
    const keyPackages = await Promise.all(Array.from({ length: count }, () => this.makeKeyPackage()));
    return this.xrpc.post("publishKeyPackages", { keyPackages });
  }

  async #packagesFor(others) {
    const answer = await this.xrpc.get("getKeyPackages", { dids: others.map(({ did }) => did), cipherSuite: suiteName });
    assert.deepEqual(answer.missing ?? [], []);
    return others.map(({ did }) => {
      const given = answer.keyPackages.filter((entry) => entry.did === did);
      assert.equal(given.length, 1, "one key package for a user with one device");
      const bytes = fromBase64(given[0].keyPackage);
      assert.equal(given[0].keyPackageHash, createHash("sha256").update(bytes).digest("hex"));
      const { keyPackage } = decode(bytes, "mls_key_package");
      assert.ok(sameBytes(keyPackage.leafNode.credential.identity, utf8(did)));
      return { did, hash: given[0].keyPackageHash, add: { proposalType: "add", add: { keyPackage } } };
    });
  }

  // --- the conversation's beginning ---

  async createConvo() {
    const first = await newKeyPackage(this.did, this.signatureKey);
    const groupId = crypto.getRandomValues(new Uint8Array(16));
    this.group = await mls.createGroup(groupId, first.publicPackage, first.privatePackage, [], suite);
    this.convoId = hex(groupId);
    this.memberships.push({ from: 0, to: Infinity });
    const convo = await this.xrpc.post("createConvo", {
      groupId: this.convoId, cipherSuite: suiteName, idempotencyKey: randomUUID(),
      metadata: { name: "integration" }, groupInfo: base64(await groupInfoOf(this.group)),
    });
    assert.equal(convo.epoch, 0);
    return convo;
  }

  async joinByWelcome(convoId) {
    const answer = await this.xrpc.get("getWelcome", { convoId });
    const { welcome } = decode(fromBase64(answer.welcome), "mls_welcome");
    const mine = welcome.secrets.map(({ newMember }) => this.#keyPackages.get(hex(newMember))).find(Boolean);
    assert.ok(mine, "the Welcome is for one of our key packages");
    this.group = await mls.joinGroup(welcome, mine.publicPackage, mine.privatePackage, mls.emptyPskIndex, suite);
    this.convoId = convoId;
    this.#keyPackages.delete(mine.ref);
    this.#justJoined = true;
    this.memberships.push({ from: this.epoch, to: Infinity });
    await this.xrpc.post("confirmWelcome", { convoId, success: true });
  }

  /** A device that lost its state: back in by the stored GroupInfo, its old leaf replaced. */
  async rejoinByExternalCommit() {
    this.membership.to = this.epoch;
    this.group = undefined;
    for (let tries = 1; ; tries += 1) {
      const stored = await this.xrpc.get("getGroupInfo", { convoId: this.convoId });
      const { groupInfo } = decode(fromBase64(stored.groupInfo), "mls_group_info");
      assert.equal(Number(groupInfo.groupContext.epoch), stored.epoch);
      const fresh = await newKeyPackage(this.did, this.signatureKey);
      const joined = await mls.joinGroupExternal(
        groupInfo, fresh.publicPackage, fresh.privatePackage, true, suite);
      const commit = encode("mls_public_message", { publicMessage: joined.publicMessage });
      try {
        const answer = await this.xrpc.post("processExternalCommit", {
          convoId: this.convoId, externalCommit: base64(commit), idempotencyKey: randomUUID(),
          groupInfo: base64(await groupInfoOf(joined.newState)),
        });
        assert.equal(answer.epoch, stored.epoch + 1);
        this.group = joined.newState;
        this.memberships.push({ from: this.epoch, to: Infinity });
        return answer;
      } catch (error) {
        if (error.status !== 409 || tries === triesMax) throw error;
        this.conflicts += 1;
      }
    }
  }

  // --- commits ---

  /** A commit on the state we have, with everything that goes beside it. Nothing is sent. */
  async stage(proposals, { asPublic = false } = {}) {
    const made = await mls.createCommit({ state: this.group, cipherSuite: suite }, {
      extraProposals: proposals, ratchetTreeExtension: true, wireAsPublicMessage: asPublic,
    });
    const commit = mls.encodeMlsMessage(made.commit);
    this.#staged = { commit, newState: made.newState };
    return {
      commit: base64(commit),
      groupInfo: base64(await groupInfoOf(made.newState)),
      ...(made.welcome ? { welcomeMessage: base64(encode("mls_welcome", { welcome: made.welcome })) } : {}),
    };
  }

  /** The server accepted what was staged. */
  merge(newEpoch) {
    assert.equal(newEpoch, this.epoch + 1, "an accepted commit leads to the next epoch");
    this.group = this.#staged.newState;
    this.#staged = undefined;
    this.#noteRemoval();
  }

  /** Builds, sends and merges; a loser catches up and builds again on the winner's epoch. */
  async commitWith(method, build) {
    for (let tries = 1; ; tries += 1) {
      const input = await build();
      try {
        const answer = await this.xrpc.post(method, input);
        this.merge(answer.newEpoch);
        return answer;
      } catch (error) {
        if (error.status !== 409 || tries === triesMax) throw error;
        this.conflicts += 1;
        assert.ok(serverEpochIn(error) > this.epoch, "refused because we are behind");
        this.#staged = undefined;
        await this.catchUpByCommits();
        await this.sync();
      }
    }
  }

  async add(others, options) {
    return this.#addBy(await this.#packagesFor(others), options);
  }

  #addBy(packages, options) {
    return this.commitWith("addMembers", async () => ({
      convoId: this.convoId, didList: packages.map(({ did }) => did.split("#")[0]), idempotencyKey: randomUUID(),
      keyPackageHashes: packages.map(({ did, hash }) => ({ did, hash })),
      ...await this.stage(packages.map(({ add }) => add), options),
    }));
  }

  /** One more device of someone who is in the group, by the package that the claim reserved. */
  addDevice({ keyPackage: { did, keyPackage, keyPackageHash: hash } }) {
    const { keyPackage: theirs } = decode(fromBase64(keyPackage), "mls_key_package");
    return this.#addBy([{ did, hash, add: { proposalType: "add", add: { keyPackage: theirs } } }]);
  }

  /** The leaf of one device goes, its user stays. */
  removeDevice(other) {
    const mine = (leaf) => sameBytes(leaf.signaturePublicKey, other.signatureKey.publicKey);
    return this.#commitOf(() => [{ proposalType: "remove", remove: { removed: this.#leafWhere(mine, other.name) } }]);
  }

  /** A key update, or the commit of proposals that wait. */
  commitOnly(options) {
    return this.#commitOf(() => [], options);
  }

  #commitOf(proposals, options) {
    return this.commitWith("addMembers", async () => ({
      convoId: this.convoId, didList: [], idempotencyKey: randomUUID(), ...await this.stage(proposals(), options),
    }));
  }

  remove(other, options) {
    return this.commitWith("removeMember", async () => ({
      convoId: this.convoId, targetDid: other.did, idempotencyKey: randomUUID(),
      ...await this.stage([{ proposalType: "remove", remove: { removed: this.#leafOf(other) } }], options),
    }));
  }

  #leafWhere(holds, name) {
    const node = this.group.ratchetTree.findIndex((entry) => entry?.nodeType === "leaf" && holds(entry.leaf));
    assert.ok(node >= 0, `${name} has a leaf`);
    return node / 2;
  }

  #leafOf(other) {
    return this.#leafWhere((leaf) => sameBytes(leaf.credential.identity, utf8(other.did)), other.name);
  }

  // --- messages ---

  async #post(make, text, msgId = randomUUID()) {
    for (let tries = 1; ; tries += 1) {
      const message = await make();
      const frame = framed(message);
      const input = {
        convoId: this.convoId, msgId, epoch: this.epoch, paddedSize: frame.length,
        ciphertext: { $bytes: base64(frame) },
      };
      try {
        this.#sent.set(msgId, text);
        const answer = await this.xrpc.post("sendMessage", input);
        assert.equal(answer.messageId, msgId);
        assert.equal(answer.epoch, this.epoch);
        return { ...answer, input, text, from: this.did };
      } catch (error) {
        if (error.status !== 409 || tries === triesMax) throw error;
        this.conflicts += 1;
        serverEpochIn(error);
        await this.sync();
      }
    }
  }

  /** Encrypts and sends; a stale epoch is caught up and the same msgId used again. */
  async send(text) {
    return this.#post(async () => {
      const made = await mls.createApplicationMessage(this.group, utf8(text), suite);
      this.group = made.newState;
      return encode("mls_private_message", { privateMessage: made.privateMessage });
    }, text);
  }

  /** "I want to go": only someone else can commit it. */
  async proposeToLeave({ asPublic = false } = {}) {
    return this.#post(async () => {
      const made = await mls.createProposal(this.group, asPublic,
        { proposalType: "remove", remove: { removed: this.#leafOf(this) } }, suite);
      this.group = made.newState;
      return mls.encodeMlsMessage(made.message);
    }, undefined);
  }

  // --- catching up ---

  /** Only the commits, as a refused sender fetches them. */
  async catchUpByCommits() {
    const answer = await this.xrpc.get("getCommits", { convoId: this.convoId, fromEpoch: this.epoch + 1 });
    assert.ok(answer.commits.length > 0, "someone else's commit is there to be read");
    answer.commits.forEach((commit, index) => assert.equal(commit.epoch, this.epoch + 1 + index));
  }

  /** Reads and processes every row after the last one processed. */
  async sync() {
    for (;;) {
      const page = await this.xrpc.get("getMessages", { convoId: this.convoId, limit: pageRows, sinceSeq: this.seq });
      for (const row of page.messages) await this.#process(row);
      if (page.messages.length > 0) assert.equal(page.lastSeq, this.seq);
      if (page.gapInfo) assert.equal(page.gapInfo.hasGaps, false);
      if (page.messages.length < pageRows) return this;
    }
  }

  async #process(row) {
    assert.equal(row.convoId, this.convoId);
    assert.equal(Date.parse(row.createdAt) % blurMs, 0, "times are blurred");
    // Someone who just came in does not see what was before; from there on nothing may be missing.
    if (this.#justJoined) assert.ok(row.seq > this.seq);
    else assert.equal(row.seq, this.seq + 1, "no gap, no repetition, in order");
    this.#justJoined = false;
    this.rows.push(row);
    this.seq = row.seq;
    const bytes = fromBase64(row.ciphertext.$bytes);
    if (row.messageType === "app") return this.#processMessage(row, bytes);
    if (row.messageType === "proposal") return this.#processProposal(row, bytes);
    return this.#processCommit(row, bytes);
  }

  async #processMessage(row, bytes) {
    if (this.#sent.has(row.id)) {
      assert.ok(!this.confirmed.has(row.id), "an own message comes once");
      this.confirmed.set(row.id, row.seq);
      return;
    }
    if (!this.memberships.some(({ from, to }) => from <= row.epoch && row.epoch <= to)) return;
    assert.ok(!this.read.has(row.id), "a message comes once");
    const result = await this.#mlsProcess(decode(unframed(bytes), "mls_private_message"));
    assert.equal(result.kind, "applicationMessage");
    this.read.set(row.id, { seq: row.seq, epoch: row.epoch, text: new TextDecoder().decode(result.message) });
  }

  async #processProposal(row, bytes) {
    if (this.#sent.has(row.id) || row.epoch < this.epoch) return;
    await this.#mlsProcess(decode(unframed(bytes)));
  }

  async #processCommit(row, bytes) {
    if (this.membership.to < row.epoch || row.epoch <= this.epoch) return;
    assert.equal(row.epoch, this.epoch + 1, "a commit's epoch is the one it leads to");
    if (this.#staged && sameBytes(this.#staged.commit, bytes)) return this.merge(row.epoch);
    await this.#mlsProcess(decode(bytes));
    this.#noteRemoval(row);
  }

  async #mlsProcess(message) {
    const result = await mls.processMessage(message, this.group, mls.emptyPskIndex, mls.acceptAll, suite);
    this.group = result.newState;
    return result;
  }

  #noteRemoval(row) {
    if (this.group.groupActiveState.kind !== "removedFromGroup") return;
    this.membership.to = row.epoch - 1;
    this.removedBy = row.seq;
  }

  exportedSecret() {
    return exportedSecret(this.group);
  }
}
