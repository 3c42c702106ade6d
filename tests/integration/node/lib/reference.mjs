// SPDX-License-Identifier: MIT
// A small workload that writes every kind of row once or more: what the fault tests interrupt. Its
// requests are made once, so that what a server must end up with does not depend on where it was
// interrupted.
import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { applicationFrame, groupInfoAt, keyPackage, privateCommit, welcomeFor } from "./handmade.mjs";
import { base64, suite1 } from "./world.mjs";

const messages = 10;
const device = "phone";

export class Reference {
  static async make(server) {
    const groupId = randomBytes(16);
    const bob = server.user("bob");
    const carol = server.user("carol", device);
    const packages = await Promise.all([1, 2].map(() => keyPackage({ identity: `${carol.did}#${device}` })));
    const info = base64(await groupInfoAt({ groupId, epoch: 1 }));
    const convoId = groupId.toString("hex");
    const commit = base64(privateCommit({ groupId, epoch: 0 }));
    const welcome = base64(welcomeFor([packages[0].ref]));
    const reference = new Reference();
    Object.assign(reference, { convoId, commit, welcome, info });
    reference.steps = [
      ...packages.map(({ bytes }) => ["carol", "publishKeyPackage", { keyPackage: base64(bytes), cipherSuite: suite1 }]),
      ["alice", "createConvo", { groupId: convoId, cipherSuite: suite1, idempotencyKey: randomUUID(), initialMembers: [bob.did] }],
      ["alice", "getKeyPackages", { dids: [carol.did] }],
      ["alice", "addMembers", { convoId, idempotencyKey: randomUUID(), commit, didList: [carol.did], welcomeMessage: welcome }],
      ...Array.from({ length: messages }, (_, index) => [index % 2 ? "alice" : "bob", "sendMessage", reference.message(groupId)]),
      ["alice", "updateGroupInfo", { convoId, groupInfo: info, epoch: 1 }],
      ["carol", "getWelcome", { convoId }],
      ["carol", "confirmWelcome", { convoId, success: true }],
      ["bob", "updateCursor", { convoId, cursor: "4" }],
    ];
    reference.sent = reference.steps.filter(([, method]) => method === "sendMessage").map(([, , input]) => input);
    return reference;
  }

  message(groupId) {
    const frame = applicationFrame({ groupId, epoch: 1 });
    return { convoId: groupId.toString("hex"), msgId: randomUUID(), epoch: 1, paddedSize: frame.length, ciphertext: { $bytes: base64(frame) } };
  }

  users(server) {
    return { alice: server.user("alice"), bob: server.user("bob"), carol: server.user("carol", device) };
  }

  /** One step, answered with success; throws a TypeError if the connection broke. */
  async step(users, index, again = false) {
    const [name, method, input] = this.steps[index];
    const { status, body } = await users[name].call(method, input);
    // It is not keyed: asked again after it was done, there is nothing left to confirm.
    const confirmed = again && method === "confirmWelcome" && status === 404;
    assert.ok(status === 200 || confirmed, `${method}: ${status} ${body.error}: ${body.message}`);
    return body;
  }

  /** What must be there after the first `steps` of them, however often the server died in between. */
  async check(server, steps = this.steps.length) {
    const { alice, bob, carol } = this.users(server);
    const done = this.steps.slice(0, steps).map(([, method]) => method);
    const expected = [
      ...(done.includes("addMembers") ? [{ type: "commit", bytes: this.commit, epoch: 1 }] : []),
      ...this.sent.slice(0, done.filter((method) => method === "sendMessage").length)
        .map((input) => ({ type: "app", id: input.msgId, bytes: input.ciphertext.$bytes, epoch: 1 })),
    ];
    const has = (method) => done.includes(method);
    if (!has("createConvo")) return;
    const rows = await alice.rows(this.convoId);
    assert.deepEqual(rows.map(({ seq }) => seq), expected.map((_, index) => index + 1), "1..N without a gap");
    for (const [index, { type, id, bytes, epoch }] of expected.entries()) {
      const row = rows[index];
      assert.equal(row.messageType, type);
      assert.equal(row.epoch, epoch);
      assert.equal(row.ciphertext.$bytes, bytes);
      if (id) assert.equal(row.id, id);
    }
    assert.equal(await bob.epochOf(this.convoId), has("addMembers") ? 1 : 0);
    assert.equal((await alice.viewOf(this.convoId)).members.length, has("addMembers") ? 3 : 2);
    if (has("updateGroupInfo")) assert.equal((await bob.ok("getGroupInfo", { convoId: this.convoId })).groupInfo, this.info);
    if (has("addMembers")) await this.checkWelcome(carol, has("confirmWelcome"));
  }

  async checkWelcome(carol, confirmed) {
    const { status, body } = await carol.call("getWelcome", { convoId: this.convoId });
    assert.equal(status, confirmed ? 404 : 200);
    if (!confirmed) assert.equal(body.welcome, this.welcome);
    const { available, total } = await carol.ok("getKeyPackageStats", { did: carol.did });
    assert.deepEqual({ available, total }, { available: 1, total: 2 });
  }
}
