// SPDX-License-Identifier: MIT
// catbird-race against a server, in a mode, with streams that record what is delivered meanwhile.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { createHash, createHmac, randomBytes, randomUUID } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { serviceDid } from "./directory.mjs";
import { EventStream } from "./event_stream.mjs";
import { HistoryLog, checkHistory, lastSeqs, shaOf } from "./history.mjs";
import { Server, serverBinary } from "./server.mjs";

const drainCeilingMs = 60_000;
const lookAgainMs = 5;
const shownLinesMax = 40;
const scenarioCeilingMs = 600_000;  // Against hangs; not measurements.
const nobody = "http://127.0.0.1:9";  // The DID directory: development tokens need none.

export const modes = (process.env.CATBIRD_TEST_MODES ?? "actors,direct").split(",");
// 1 is everything; a sanitizer build, or the search for a planted bug, takes a part.
const part = Number(process.env.CATBIRD_RACE_PART ?? 1);
export const scaled = (usual) => Math.max(1, Math.round(usual * part));
export const environmentOf = (mode) => ({ ENABLE_ACTOR_SYSTEM: mode === "actors" ? "true" : "false" });

export function raceBinary() {
  const root = resolve(import.meta.dirname, "../../../..");
  const found = [process.env.CATBIRD_RACE_BINARY, resolve(dirname(serverBinary()), "../tests/catbird-race"),
    ...["release", "dev"].map((preset) => join(root, "build", preset, "tests/catbird-race"))].filter(Boolean);
  const binary = found.find((path) => existsSync(path));
  if (!binary) throw new Error(`no catbird-race: build it, or set CATBIRD_RACE_BINARY (${found.join(", ")})`);
  return resolve(binary);
}

const base64url = (value) => Buffer.from(value).toString("base64url");

/** A user as catbird-race of that run name makes it (tests/race/run.cpp). */
export function userOf(run, name, secret) {
  const alphabet = "abcdefghijklmnopqrstuvwxyz234567";
  const hash = createHash("sha256").update(`${run}/${name}`).digest();
  const did = `did:plc:${[...hash.subarray(0, 24)].map((byte) => alphabet[byte % 32]).join("")}`;
  const token = (lxm) => {
    const iat = Math.floor(Date.now() / 1000);
    const head = base64url(JSON.stringify({ alg: "HS256", typ: "JWT" }));
    const claims = base64url(JSON.stringify({ iss: did, aud: serviceDid, lxm, jti: randomUUID(), iat, exp: iat + 60 }));
    const signature = createHmac("sha256", secret).update(`${head}.${claims}`).digest("base64url");
    return `${head}.${claims}.${signature}`;
  };
  return { did, token };
}

/** Records all that one user's stream delivers; comes back by its cursor when it is cut. */
class StreamRecorder {
  #stopped = false;
  #stream;
  #last;
  #seen = new Map();  // conversation -> last number, over all connections

  constructor(server, user, log) {
    Object.assign(this, { server, user, log });
  }

  async start() {
    await this.#connect();
    this.done = this.#follow();
  }

  async #connect() {
    const after = this.#stream?.cursor === undefined ? {} : { after: this.#last };
    const stream = new EventStream(this.server, this.user);
    stream.cursor = this.#stream?.cursor;
    const n = this.log.begin("stream", this.user.did, after);
    stream.onEvent = (event) => {
      if (event.type !== "messageEvent") return;
      const { convoId, seq, id, epoch, messageType, ciphertext } = event.message;
      this.#seen.set(convoId, seq);
      this.log.note(n, "row", { convo: convoId, row: [seq, id, epoch, messageType, shaOf(Buffer.from(ciphertext.$bytes, "base64"))] });
    };
    await stream.open();
    this.log.note(n, "opened");
    [this.#stream, this.#last] = [stream, n];
  }

  async #follow() {
    while (!this.#stopped) {
      await this.#stream.whenEnded;
      if (this.#stopped) return;
      this.log.note(this.#last, "ok", { drained: false });
      for (;;) {
        // Until the server is there again, or the test is over.
        try { await this.#connect(); break; } catch (error) {
          if (this.#stopped) return;
          if (!(error instanceof TypeError) && !/: 503/.test(error.message)) throw error;
          await new Promise((resume) => setTimeout(resume, lookAgainMs));
        }
      }
    }
  }

  /** After the load: waits for the last row of each conversation, then closes. */
  async drain(last) {
    for (const [convo, seq] of last) if (seq > 0) await this.#until(convo, seq);
    await this.stop();
    this.log.note(this.#last, "ok", { drained: true });
  }

  async stop() {
    this.#stopped = true;
    await this.#stream?.close();
    await this.done;
  }

  async #until(convo, seq) {
    const deadline = Date.now() + drainCeilingMs;
    while ((this.#seen.get(convo) ?? 0) < seq) {
      if (Date.now() > deadline) throw new Error(`the stream did not bring ${seq} of ${convo}; last: ${this.#seen.get(convo)}`);
      await new Promise((resume) => setTimeout(resume, lookAgainMs));
    }
  }
}

/** One server in one mode, or several on one store, and everything that races against them. */
export class Arena {
  logs = [];
  others = [];
  #serial = 0;
  #racing;

  static async start(mode, environment = {}) {
    const arena = new Arena();
    arena.mode = mode;
    arena.secret = randomBytes(24).toString("hex");
    arena.server = new Server(nobody, { JWT_SECRET: arena.secret, ...environmentOf(mode), ...environment });
    try {
      await arena.start(mode);
    } catch (error) {
      await arena.dispose();
      throw error;
    }
    return arena;
  }

  /** For the checker: a file, or a URL where the server runs on PostgreSQL. */
  get database() {
    return this.server.environment.DATABASE_URL.replace(/^sqlite:/, "");
  }

  get servers() {
    return [this.server, ...this.others];
  }

  /** One more server on the same PostgreSQL; from now on each connect goes to the next one. */
  async join(mode) {
    const { DATABASE_URL, JWT_SECRET } = this.server.environment;
    const other = new Server(nobody, { DATABASE_URL, JWT_SECRET, ...environmentOf(mode),
      CATBIRD_SECRET_FILE: join(this.server.folder, "data/catbird.secret") });
    this.others.push(other);
    await other.start();
    this.#writePorts();
    return other;
  }

  #writePorts() {
    writeFileSync(this.portFile, this.servers.map(({ url }) => new URL(url).port).join("\n"));
  }

  get portFile() {
    return join(this.server.folder, "port");
  }

  async start(mode) {
    this.mode = mode;
    Object.assign(this.server.environment, environmentOf(mode));
    await this.server.start();
    this.#writePorts();
  }

  async restart(mode = this.mode) {
    await this.server.stop();
    await this.start(mode);
  }

  newLog(name) {
    this.#serial += 1;
    mkdirSync(join(this.server.folder, "logs"), { recursive: true });
    return new HistoryLog(join(this.server.folder, "logs"), `${this.#serial}-${name}`);
  }

  /** Runs a scenario to its end; `onCount(n)` hears how much load() has had acknowledged. */
  async race(scenario, { run = scenario, scale = 0, watch = [], onCount } = {}) {
    const log = this.newLog(scenario);
    const streamLog = this.newLog(`${scenario}-streams`);
    const recorders = watch.map((name) => new StreamRecorder(this.server, userOf(run, name, this.secret), streamLog));
    try {
      for (const recorder of recorders) await recorder.start();
      await this.#run(scenario, run, scale, log, onCount);
      for (const recorder of recorders) await recorder.drain(lastSeqs([log.path], recorder.user.did));
    } finally {
      for (const recorder of recorders) await recorder.stop();
      if (recorders.length) this.logs.push(streamLog.save());
    }
  }

  async #run(scenario, run, scale, log, onCount) {
    const child = spawn(raceBinary(), [scenario, "--run", run, "--port-file", this.portFile, "--secret", this.secret,
      "--aud", serviceDid, "--log", log.path, "--mode", this.mode, "--scale", String(scale)],
    { stdio: ["ignore", "pipe", "pipe"], timeout: scenarioCeilingMs, killSignal: "SIGKILL" });
    this.#racing = child;
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text) => { said += text; });
    createInterface({ input: child.stdout }).on("line", (line) => onCount?.(Number(line.split(" ")[1])));
    const code = await new Promise((done) => child.on("close", (status, signal) => done(status ?? signal)));
    this.logs.push(log.path);
    assert.equal(code, 0, `${scenario}: ${said}\n${this.server.tail()}`);
  }

  /** Ends a scenario that cannot go on; its race() fails. */
  stopRacing() {
    this.#racing?.kill("SIGKILL");
  }

  /** Stops the server and holds all that was seen to what it left. Gives the checker's summary. */
  async check() {
    for (const server of this.servers) await server.stop();
    const { code, text } = await checkHistory(this.database, this.logs);
    const lines = text.trimEnd().split("\n");
    if (code !== 0 || process.env.CATBIRD_KEEP_HISTORY) this.#keep(lines);
    assert.equal(code, 0, lines.slice(0, shownLinesMax).concat(lines.slice(-1)).join("\n"));
    return lines.at(-1);
  }

  /** A violation is looked into with the files that show it. */
  #keep(lines) {
    const folder = mkdtempSync(join(tmpdir(), "catbird-history-"));
    for (const path of [this.database, `${this.database}-wal`, ...this.logs]) {
      if (existsSync(path)) copyFileSync(path, join(folder, basename(path)));
    }
    if (this.database.startsWith("postgres")) {
      execFileSync("pg_dump", ["--no-password", "--file", join(folder, "catbird.sql"), this.database]);
    }
    lines.unshift(`database and logs are in ${folder}`);
  }

  async dispose() {
    for (const server of this.others) await server.dispose();
    await this.server?.dispose();
  }
}
