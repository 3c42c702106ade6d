// SPDX-License-Identifier: MIT
// The built server as a child process, on a free loopback port and a data folder of its own.
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { serviceDid } from "./directory.mjs";

const startCeilingMs = 60_000;  // Against hangs; not a measurement.
const stopCeilingMs = 60_000;
const tailLines = 40;
const limits = ["SEND_MESSAGE", "GET_MESSAGES", "READ_STATE", "PUBLISH_KEY_PACKAGE", "CLAIM_KEY_PACKAGE",
  "ADD_MEMBERS", "CREATE_CONVO", "REGISTER_DEVICE", "SYNC_KEY_PACKAGES", "REPORT_MEMBER", "CHECK_BLOCKS",
  "EXTERNAL_COMMIT",   "DID_DEFAULT"];

export function serverBinary() {
  const root = resolve(import.meta.dirname, "../../../..");
  const found = [process.env.CATBIRD_SERVER_BINARY, ...["dev", "release"].map(
    (preset) => join(root, "build", preset, "src/catbird-mls-server"))].filter(Boolean);
  const binary = found.find((path) => existsSync(path));
  if (!binary) throw new Error(`no server: build it, or set CATBIRD_SERVER_BINARY (${found.join(", ")})`);
  return resolve(binary);
}

// The suites run on PostgreSQL where CATBIRD_TEST_POSTGRES names a server (`script/postgres start`): each
// server process under test gets a new database there, dropped when it is disposed of.
function databaseUrl(folder) {
  const server = process.env.CATBIRD_TEST_POSTGRES;
  if (!server) return `sqlite:${join(folder, "catbird.db")}`;
  const name = `node_${basename(folder).replaceAll(/[^A-Za-z0-9]/g, "_").toLowerCase()}_${process.pid}`;
  return createDatabase(server, name);
}

/** The same PostgreSQL, another database. */
export const urlOfDatabase = (url, name) => url.replace(/\/[^/]*$/, `/${name}`);

/** A new, empty database beside the one that `url` names; gives its URL. */
export function createDatabase(url, name) {
  psql(url, `CREATE DATABASE ${name} TEMPLATE template0`);
  return urlOfDatabase(url, name);
}

/** Runs SQL; what it gives, unaligned and without headings. */
export function psql(url, sql) {
  return execFileSync("psql", ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", url, "-c", sql],
    { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

/** One that nobody listens on now. */
export async function freePort() {
  const probe = createServer();
  await new Promise((done) => probe.listen(0, "127.0.0.1", done));
  const { port } = probe.address();
  await new Promise((done) => probe.close(done));
  return port;
}

const within = (ms, what, promise) => {
  let timer;
  const ceiling = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${ms} ms`)), ms);
  });
  return Promise.race([promise, ceiling]).finally(() => clearTimeout(timer));
};

export class Server {
  #child;
  #exited;
  #tail = [];
  lines = [];  // everything it ever said, over all starts
  url;
  starts = 0;

  wrapper = [];  // words before the binary's name: a command that becomes it

  /** The data folder is made in `parent`. */
  constructor(directoryUrl, extraEnvironment = {}, parent = tmpdir()) {
    this.folder = mkdtempSync(join(parent, "catbird-node-"));
    this.ownDatabase = extraEnvironment.DATABASE_URL === undefined ? databaseUrl(this.folder) : "";
    this.environment = {
      PATH: process.env.PATH,
      HOME: this.folder,
      DATABASE_URL: this.ownDatabase,
      SERVER_PORT: "0",
      SERVICE_DID: serviceDid,
      CATBIRD_DEV: "true",
      PLC_DIRECTORY_URL: directoryUrl,
      RUST_LOG: "info",
      // `npm run test:direct` runs the suites that follow the flag a second time, with it off.
      ENABLE_ACTOR_SYSTEM: process.env.CATBIRD_TEST_ACTORS ?? "true",
      ...Object.fromEntries(limits.map((name) => [`RATE_LIMIT_${name}`, "0"])),
      ...(process.env.ASAN_OPTIONS ? { ASAN_OPTIONS: process.env.ASAN_OPTIONS } : {}),
      ...(process.env.CATBIRD_MUTANT ? { CATBIRD_MUTANT: process.env.CATBIRD_MUTANT } : {}),
      ...extraEnvironment,
    };
  }

  async start() {
    const [command, ...words] = [...this.wrapper, serverBinary()];
    const child = spawn(command, words, {
      cwd: this.folder, env: this.environment, stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    this.#tail = [];
    this.#exited = new Promise((done) => child.on("exit", (code, signal) => done({ code, signal })));
    const listening = new Promise((done, failed) => {
      for (const stream of [child.stdout, child.stderr]) {
        createInterface({ input: stream }).on("line", (line) => {
          this.#remember(line);
          const port = /Server listening on [^"\s]*:(\d+)/.exec(line)?.[1];
          if (port) done(`http://127.0.0.1:${port}`);
        });
      }
      child.on("error", failed);
      this.#exited.then((how) => failed(new Error(`it ended: ${JSON.stringify(how)}\n${this.tail()}`)));
    });
    this.url = await within(startCeilingMs, "start", listening);
    this.starts += 1;
  }

  /** SIGTERM; resolves when it is gone, which must be by itself and with status 0. */
  async stop() {
    this.#child.kill("SIGTERM");
    const how = await within(stopCeilingMs, "stop", this.#exited);
    if (how.code !== 0) throw new Error(`ended with ${JSON.stringify(how)}\n${this.tail()}`);
  }

  get pid() {
    return this.#child.pid;
  }

  /** Resolves when it is gone by itself: { code, signal }. */
  ended() {
    return within(stopCeilingMs, "end", this.#exited);
  }

  async kill9() {
    this.#child.kill("SIGKILL");
    await within(stopCeilingMs, "kill", this.#exited);
  }

  /** The end of a test: whatever state it is in, nothing of it stays. */
  async dispose() {
    if (this.#child && this.#child.exitCode === null && this.#child.signalCode === null) await this.kill9();
    rmSync(this.folder, { recursive: true, force: true });
    const name = /^postgres.*\/(.+)$/.exec(this.ownDatabase)?.[1];
    if (name) psql(process.env.CATBIRD_TEST_POSTGRES, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  }

  get pid() {
    return this.#child.pid;
  }

  tail() {
    return this.#tail.join("\n");
  }

  #remember(line) {
    this.lines.push(line);
    this.#tail.push(line);
    if (this.#tail.length > tailLines) this.#tail.shift();
  }
}
