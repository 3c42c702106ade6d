// SPDX-License-Identifier: MIT
// The built server as a child process, on a free loopback port and a data folder of its own.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { serviceDid } from "./directory.mjs";

const startCeilingMs = 60_000;  // Against hangs; not a measurement.
const stopCeilingMs = 60_000;
const tailLines = 40;
const limits = ["SEND_MESSAGE", "GET_MESSAGES", "READ_STATE", "PUBLISH_KEY_PACKAGE", "CLAIM_KEY_PACKAGE",
  "ADD_MEMBERS", "CREATE_CONVO", "DID_DEFAULT"];

export function serverBinary() {
  const root = resolve(import.meta.dirname, "../../../..");
  const found = [process.env.CATBIRD_SERVER_BINARY, ...["dev", "release"].map(
    (preset) => join(root, "build", preset, "src/catbird-mls-server"))].filter(Boolean);
  const binary = found.find((path) => existsSync(path));
  if (!binary) throw new Error(`no server: build it, or set CATBIRD_SERVER_BINARY (${found.join(", ")})`);
  return resolve(binary);
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
    this.environment = {
      PATH: process.env.PATH,
      HOME: this.folder,
      DATABASE_URL: `sqlite:${join(this.folder, "catbird.db")}`,
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
