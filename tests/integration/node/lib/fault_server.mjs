// SPDX-License-Identifier: MIT
// A server under the fault shim (tests/faults/fault_shim.cpp): its writes fail, or end it, where a test
// says, and its clock is moved. Users have development tokens, which cost nothing to make.
import assert from "node:assert/strict";
import { createHmac, randomBytes, randomUUID } from "node:crypto";
import { closeSync, cpSync, existsSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { runCommand } from "./command.mjs";
import { serviceDid } from "./directory.mjs";
import { Server, serverBinary } from "./server.mjs";
import { User } from "./world.mjs";

export const full = process.env.CATBIRD_FAULTS === "full";
export const calls = { write: 1, sync: 2, truncate: 4, names: 8, all: 15 };
export const errno = { EIO: 5, ENOSPC: 28 };

const secret = randomBytes(32).toString("hex");
const tokenSeconds = 60;
// The shim's struct Control.
const control = { bytes: 128, offset: 0, calls: 8, from: 16, until: 24, mask: 32, action: 36, suffix: 40 };
const kill = -1;
const never = 0xffff_ffff_ffffn;

function shimPath() {
  const path = process.env.CATBIRD_FAULT_SHIM ?? resolve(dirname(serverBinary()), "../tests/libcatbird-fault-shim.so");
  if (!existsSync(path)) throw new Error(`no fault shim at ${path}: build catbird-fault-shim, or set CATBIRD_FAULT_SHIM`);
  return path;
}

const segment = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A user of one server. Its tokens are made by the clock of `server`. */
export class DevUser extends User {
  constructor(server, did, device) {
    super({ server, secret: (value) => value }, { did }, device);
    this.identity = { did, token: (nsid) => this.#token(nsid) };
  }

  #token(lxm) {
    const iat = Math.floor((Date.now() + this.server.clockOffsetMs) / 1000);
    const claims = { iss: this.device ? `${this.did}#${this.device}` : this.did, aud: serviceDid, lxm, jti: randomUUID(), iat, exp: iat + tokenSeconds };
    const text = `${segment({ alg: "HS256", typ: "JWT" })}.${segment(claims)}`;
    return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
  }
}

export class FaultServer extends Server {
  #file;
  clockOffsetMs = 0;

  /** `template`: a folder to begin with a copy of. */
  constructor({ template, environment = {}, parent } = {}) {
    super("http://127.0.0.1:9", { JWT_SECRET: secret, RUST_LOG: "warn,catbird_server=info", ...environment }, parent);
    if (template) cpSync(template, this.folder, { recursive: true });
    const path = `${this.folder}/fault.control`;
    writeFileSync(path, Buffer.alloc(control.bytes));
    this.#file = openSync(path, "r+");
    Object.assign(this.environment, { LD_PRELOAD: shimPath(), CATBIRD_FAULT_CONTROL: path, CATBIRD_FAULT_FOLDER: this.folder });
  }

  get database() {
    return join(this.folder, "catbird.db");
  }

  user(name, device) {
    return new DevUser(this, `did:plc:${name.padEnd(24, "a")}`, device);
  }

  #put(offset, write) {
    const bytes = Buffer.alloc(8);
    const length = write(bytes);
    writeSync(this.#file, bytes, 0, length, offset);
  }

  #arm({ action, mask = calls.all, from, until = never, suffix = "" }) {
    this.#put(control.action, (bytes) => bytes.writeInt32LE(0));
    const text = Buffer.alloc(control.bytes - control.suffix);
    text.write(suffix);
    writeSync(this.#file, text, 0, text.length, control.suffix);
    this.#put(control.mask, (bytes) => bytes.writeUInt32LE(mask));
    this.#put(control.from, (bytes) => bytes.writeBigUInt64LE(BigInt(from)));
    this.#put(control.until, (bytes) => bytes.writeBigUInt64LE(BigInt(until)));
    this.#put(control.action, (bytes) => bytes.writeInt32LE(action));
  }

  /** Counts calls from 0 and does nothing else. */
  count(mask = calls.all, suffix = "") {
    this.#put(control.calls, (bytes) => bytes.writeBigUInt64LE(0n));
    this.#arm({ action: 0, mask, suffix, from: never });
  }

  /** Calls counted so far. */
  get counted() {
    const bytes = Buffer.alloc(8);
    readSync(this.#file, bytes, 0, 8, control.calls);
    return Number(bytes.readBigUInt64LE());
  }

  /** The n-th call from now on (from 1) ends the process, before it is made. */
  killAt(n, mask = calls.all, suffix = "") {
    this.count(mask, suffix);
    this.#arm({ action: kill, mask, suffix, from: n });
  }

  /** Calls n .. n+times-1 from now on fail with that errno. */
  failAt(n, code, { mask = calls.write | calls.sync, suffix = "", times = 1 } = {}) {
    this.count(mask, suffix);
    this.#arm({ action: code, mask, suffix, from: n, until: times === Infinity ? never : n + times });
  }

  heal() {
    this.count();
  }

  /** The server's wall clock is this far from the real one from now on. */
  moveClock(ms) {
    this.clockOffsetMs = ms;
    this.#put(control.offset, (bytes) => bytes.writeBigInt64LE(BigInt(ms)));
  }

  /** Ended by the shim's kill, and by nothing else. */
  async assertKilled() {
    assert.equal((await this.ended()).signal, "SIGKILL");
  }

  async dispose() {
    closeSync(this.#file);
    await super.dispose();
  }
}

/** Fails unless every row of the database and its WAL is sound; `backup` verifies each. */
export async function assertSound(server) {
  const folder = mkdtempSync(join(tmpdir(), "catbird-check-"));
  const { LD_PRELOAD, ...environment } = server.environment;
  const { code, err } = await runCommand(["backup", join(folder, "copy.db")], { cwd: server.folder, environment });
  rmSync(folder, { recursive: true });
  assert.equal(code, 0, err.join("\n"));
}
