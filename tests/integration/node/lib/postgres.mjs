// SPDX-License-Identifier: MIT
// A PostgreSQL of one test's own (script/postgres), to be killed, filled up and cut off.
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { freePort, psql } from "./server.mjs";

const script = resolve(import.meta.dirname, "../../../../script/postgres");

const lookAgainMs = 5;

/** Neither gone nor a zombie. */
function alive(pid) {
  try { return !/\nState:\s+Z/.test(readFileSync(`/proc/${pid}/status`, "utf8")); } catch { return false; }
}

export class Postgres {
  /** On loopback TCP, its data in `parent`. */
  static async start({ parent = tmpdir(), settings = [] } = {}) {
    const own = new Postgres();
    own.folder = mkdtempSync(join(parent, "catbird-pg-"));
    chmodSync(own.folder, 0o755);
    own.directory = join(own.folder, "server");
    own.port = await freePort();
    own.settings = settings.flatMap((setting) => ["--set", setting]);
    own.start();
    return own;
  }

  start() {
    this.url = execFileSync(script, ["start", this.directory, "--tcp", String(this.port), ...this.settings],
      { encoding: "utf8" }).trim();
  }

  /** The same database through another port. */
  urlAt(port) {
    return this.url.replace(`:${this.port}/`, `:${port}/`);
  }

  get pids() {
    const main = Number(readFileSync(join(this.directory, "data/postmaster.pid"), "utf8").split("\n")[0]);
    let children = "";
    try { children = execFileSync("ps", ["-o", "pid=", "--ppid", String(main)], { encoding: "utf8" }); } catch { /* none */ }
    return [main, ...children.split("\n").map(Number).filter(Boolean)];
  }

  get runs() {
    return alive(this.pids[0]);
  }

  /** All its processes at once, as when the machine dies but its disk does not. */
  async kill9() {
    const { pids } = this;
    for (const pid of pids) {
      try { process.kill(pid, "SIGKILL"); } catch { /* gone by itself */ }
    }
    while (pids.some(alive)) await new Promise((resume) => setTimeout(resume, lookAgainMs));
    // Whoever inherits orphans here may not bury them, and a start takes an unburied one for a server.
    for (const lock of ["data/postmaster.pid", `.s.PGSQL.${this.port}.lock`]) {
      rmSync(join(this.directory, lock), { force: true });
    }
  }

  ask(sql) {
    return psql(this.url, sql).trim();
  }

  /** Whether it could be done; says nothing if not. */
  tryAsk(sql) {
    try { this.ask(sql); return true; } catch { return false; }
  }

  /** Ends every session of a database; gives how many there were. */
  terminateSessions(database) {
    return Number(this.ask("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
      + ` WHERE datname = '${database}'`));
  }

  remove() {
    execFileSync(script, ["remove", this.directory]);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
