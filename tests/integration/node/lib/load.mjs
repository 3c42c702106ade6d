// SPDX-License-Identifier: MIT
// Senders that keep a server busy and remember what it answered, so that after whatever happened to it
// one can say: nothing acknowledged is lost, nothing is there twice, no number is missing.
import assert from "node:assert/strict";
import { randomBytes, randomInt, randomUUID } from "node:crypto";
import { fdatasyncSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { privateMessage } from "./framing.mjs";
import { suiteName } from "./mls.mjs";

/** The senders' memory, on disk before it counts: what was answered, and what was sent and not answered. */
class AckLog {
  acked = new Map();    // msgId -> { convoId, seq }
  unknown = new Map();  // msgId -> { user, input }
  resolved = 0;
  refused = 0;
  #file;

  constructor(path) {
    this.#file = openSync(path, "a");
  }

  sent(user, input) {
    this.unknown.set(input.msgId, { user, input });
  }

  note(input, answer) {
    assert.equal(answer.messageId, input.msgId);
    assert.ok(!this.acked.has(input.msgId), "a msgId is acknowledged once");
    writeSync(this.#file, `${JSON.stringify({ msgId: input.msgId, convoId: input.convoId, seq: answer.seq })}\n`);
    fdatasyncSync(this.#file);
    this.acked.set(input.msgId, { convoId: input.convoId, seq: answer.seq });
    this.unknown.delete(input.msgId);
  }
}

function newMessage(convoId) {
  const frame = privateMessage({ groupId: Buffer.from(convoId, "hex"), epoch: 0n, body: randomBytes(randomInt(16, 400)) });
  return {
    convoId, msgId: randomUUID(), epoch: 0, paddedSize: frame.length,
    ciphertext: { $bytes: frame.toString("base64") },
  };
}

export class Load {
  /** `users` of world.mjs; the first makes the conversations. The log goes into the server's folder. */
  static async start(server, users, convos = 3) {
    const ids = Array.from({ length: convos }, () => randomBytes(16).toString("hex"));
    for (const groupId of ids) {
      await users[0].ok("createConvo", {
        groupId, cipherSuite: suiteName, idempotencyKey: randomUUID(),
        initialMembers: users.slice(1).map(({ did }) => did),
      });
    }
    return Object.assign(new Load(), { server, users, ids, log: new AckLog(join(server.folder, "acknowledged.log")) });
  }

  /**
   * All users send until the server is gone. After `acks` answers `end` is called once; it must end the
   * server. `allows503`: an orderly stop may refuse, a crash may not.
   */
  async untilGone(acks, end, { allows503 = false } = {}) {
    let left = acks;
    let ending;
    const onAck = () => {
      left -= 1;
      if (left === 0) ending = end();
    };
    await Promise.all(this.users.map((user) => this.#sendUntilGone(user, onAck, allows503)));
    assert.ok(ending, "the senders stopped because the server ended");
    await ending;
  }

  async #sendUntilGone(user, onAck, allows503) {
    for (let count = 0; ; count += 1) {
      const input = newMessage(this.ids[(count + randomInt(this.ids.length)) % this.ids.length]);
      this.log.sent(user, input);
      let answer;
      try {
        answer = await user.tryOnce("sendMessage", input);
      } catch (error) {
        if (!(error instanceof TypeError)) throw error;  // fetch: the connection failed
        return;
      }
      if (answer.status === 200) {
        this.log.note(input, answer.body);
        onAck();
        continue;
      }
      assert.ok(allows503 && answer.status === 503, `${answer.status} ${JSON.stringify(answer.body)}`);
      this.log.refused += 1;
    }
  }

  /** Every request without an answer, once more: now it has one. */
  async resolve() {
    for (const { user, input } of [...this.log.unknown.values()]) {
      this.log.note(input, await user.ok("sendMessage", input));
      this.log.resolved += 1;
    }
  }

  /** The store holds exactly what was acknowledged. */
  async check() {
    const { acked } = this.log;
    const found = new Map();
    for (const convoId of this.ids) {
      const rows = await this.users[randomInt(this.users.length)].rows(convoId);
      assert.deepEqual(rows.map(({ seq }) => seq), rows.map((_, index) => index + 1), "1..N without a gap");
      for (const row of rows) {
        assert.ok(!found.has(row.id), "a row stands there once");
        found.set(row.id, { convoId, seq: row.seq });
      }
    }
    for (const [msgId, where] of acked) assert.deepEqual(found.get(msgId), where, "acknowledged, and there");
    assert.equal(found.size, acked.size, "nothing is there that nobody sent");
  }

  get summary() {
    return `${this.log.acked.size} messages, of which ${this.log.resolved} were unanswered and sent again`;
  }
}
