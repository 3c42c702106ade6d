// SPDX-License-Identifier: MIT
// What clients of a test saw, written down for tests/checker/check_history.py (history.py there says
// how), and the run of that checker over it and the database of the stopped server.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

const checker = resolve(import.meta.dirname, "../../../checker/check_history.py");
const outputBytesMax = 64 * 1024 * 1024;

export const shaOf = (bytes) => createHash("sha256").update(bytes).digest("hex");
const now = () => Number(process.hrtime.bigint());

export class HistoryLog {
  #events = [];
  #count = 0;

  constructor(folder, name) {
    this.path = join(folder, `${name}.jsonl`);
  }

  /** Before the first byte is sent. */
  begin(op, user, fields = {}) {
    this.#count += 1;
    this.#events.push({ e: "invoke", n: this.#count, t: now(), op, user, ...fields });
    return this.#count;
  }

  note(n, event, fields = {}) {
    this.#events.push({ e: event, n, t: now(), ...fields });
  }

  /** An HTTP answer, or undefined if none came. `fields` of an ok. */
  end(n, answer, fields = {}) {
    if (!answer || answer.status >= 500) return this.note(n, "unknown");
    if (answer.status === 200) return this.note(n, "ok", fields);
    const { error, serverEpoch } = answer.body;
    return this.note(n, "fail", { status: answer.status, error, ...(serverEpoch === undefined ? {} : { serverEpoch }) });
  }

  save() {
    writeFileSync(this.path, this.#events.map((event) => `${JSON.stringify(event)}\n`).join(""));
    return this.path;
  }
}

/** The last number that the logs say is there, of each conversation that was created with `did` in it. */
export function lastSeqs(logs, did) {
  const convoOf = new Map();
  const last = new Map();
  for (const [at, path] of logs.entries()) {
    for (const line of readFileSync(path, "utf8").split("\n")) {
      if (line === "") continue;
      const event = JSON.parse(line);
      if (event.op === "create" && (event.user === did || event.members.includes(did))) last.set(event.convo, 0);
      if (event.e === "invoke" && last.has(event.convo)) convoOf.set(`${at} ${event.n}`, event.convo);
      const seq = event.seq ?? event.rows?.at(-1)?.[0];
      const convo = convoOf.get(`${at} ${event.n}`);
      if (event.e === "ok" && seq !== undefined && convo) last.set(convo, Math.max(seq, last.get(convo)));
    }
  }
  return last;
}

/** { code, text } of the checker. */
export function checkHistory(database, logs) {
  return new Promise((done) => {
    execFile("python3", [checker, database, ...logs], { maxBuffer: outputBytesMax }, (error, stdout, stderr) =>
      done({ code: error?.code ?? 0, text: stdout + stderr }));
  });
}
