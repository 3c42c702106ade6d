// SPDX-License-Identifier: MIT
// A proxy in front of PostgreSQL that knows just enough of its protocol (message framing, chapter 55 of its
// manual) to cut a connection at the moments that matter: before a statement that commits reaches the server,
// and after the server has done it but before the answer reaches the client. It can also be slow, or hang.
import { connect, createServer } from "node:net";

const sslRequest = 80877103;
const gssRequest = 80877104;
export const cuts = ["before batch", "after batch", "before COMMIT", "after COMMIT"];

/** Splits a stream of typed messages; gives the whole ones that `bytes` completes. */
class Framing {
  #rest = Buffer.alloc(0);

  push(bytes) {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    const out = [];
    while (this.#rest.length >= 5) {
      const size = 1 + this.#rest.readUInt32BE(1);
      if (this.#rest.length < size) break;
      out.push(this.#rest.subarray(0, size));
      this.#rest = this.#rest.subarray(size);
    }
    return out;
  }
}

const text = (message, from) => message.toString("latin1", from, message.indexOf(0, from));
const typeOf = (message) => String.fromCharCode(message[0]);

class Session {
  #proxy;
  #statements = new Map();  // prepared: name -> SQL
  #fromClient = new Framing();
  #fromServer = new Framing();
  #started = false;
  #inTransaction = false;  // as the server said last
  #swallow;  // the commit after whose answer the cut comes
  #committed = false;  // as that answer says
  #held = { client: [], server: [] };
  #answers = Promise.resolve();  // of the server, in their order however long each is delayed

  constructor(proxy, client) {
    this.#proxy = proxy;
    this.client = client;
    this.server = connect(proxy.port, "127.0.0.1");
    for (const side of [client, this.server]) {
      side.setNoDelay(true);
      side.on("error", () => this.end());
      side.on("close", () => this.end());
    }
    client.on("data", (bytes) => this.#pass("client", bytes));
    this.server.on("data", (bytes) => this.#pass("server", bytes));
  }

  /** Both ends at once, but what is held back still arrives when the proxy heals: networks do that. */
  end() {
    if (this.#proxy.mode === "hang" && this.#held.client.length > 0) return;
    this.client.destroy();
    this.server.destroy();
    this.#proxy.sessions.delete(this);
  }

  #pass(from, bytes) {
    if (this.#proxy.mode === "hang") this.#held[from].push(bytes);
    else if (from === "client") this.#fromClientSide(bytes);
    else {
      const wait = this.#proxy.mode === "slow" ? this.#proxy.delayMs : 0;
      this.#answers = this.#answers.then(async () => {
        if (wait > 0) await new Promise((resume) => setTimeout(resume, wait));
        this.#fromServerSide(bytes);
      });
    }
  }

  heal() {
    const { client, server } = this.#held;
    this.#held = { client: [], server: [] };
    this.#proxy.lateStatements += client.length;
    for (const bytes of client) this.#fromClientSide(bytes);
    for (const bytes of server) this.#fromServerSide(bytes);
    if (this.client.destroyed) this.server.end();
  }

  #fromClientSide(bytes) {
    if (!this.#started) {
      // SSLRequest and GSSENCRequest are answered by one byte; then comes the start-up message.
      const code = bytes.length >= 8 ? bytes.readUInt32BE(4) : 0;
      this.#started = code !== sslRequest && code !== gssRequest;
      this.server.write(bytes);
      return;
    }
    for (const message of this.#fromClient.push(bytes)) {
      const moment = this.#read(message);
      const cut = moment && this.#proxy.choose(moment);
      if (cut === "before") return this.end();
      if (cut === "after") this.#swallow = moment;
      this.server.write(message);
    }
  }

  /** "batch" or "COMMIT" where the message makes the server commit. */
  #read(message) {
    const type = typeOf(message);
    if (type === "P") {
      const name = text(message, 5);
      this.#statements.set(name, text(message, 5 + name.length + 1));
    } else if (type === "Q") {
      if (text(message, 5) === "COMMIT") return "COMMIT";
    } else if (type === "B" && !this.#inTransaction) {
      const portal = text(message, 5);
      const sql = this.#statements.get(text(message, 5 + portal.length + 1)) ?? "";
      if (sql.includes("INSERT INTO message ")) return "batch";
    }
    return undefined;
  }

  #fromServerSide(bytes) {
    if (!this.#started) return void this.client.write(bytes);
    const messages = this.#fromServer.push(bytes);
    for (const message of messages) {
      if (typeOf(message) === "Z") this.#inTransaction = message[5] !== "I".charCodeAt(0);
    }
    if (!this.#swallow) {
      for (const message of messages) this.client.write(message);
      return;
    }
    for (const message of messages) {
      const type = typeOf(message);
      if (type === "C") this.#committed = text(message, 5) !== "ROLLBACK";
      if (type === "E") this.#committed = false;
      if (type !== "Z") continue;
      if (this.#committed && !this.#inTransaction) this.#proxy.cutAfter(this.#swallow);
      this.end();
      return;
    }
  }
}

export class PostgresProxy {
  sessions = new Set();
  mode = "pass";
  delayMs = 0;
  lateStatements = 0;
  counts = Object.fromEntries(cuts.map((cut) => [cut, 0]));
  #wanted = 0;
  #every = 1;
  #moments = 0;

  static async start(port) {
    const proxy = new PostgresProxy();
    proxy.port = port;
    proxy.listener = createServer((socket) => proxy.sessions.add(new Session(proxy, socket)));
    await new Promise((done) => proxy.listener.listen(0, "127.0.0.1", done));
    proxy.ownPort = proxy.listener.address().port;
    return proxy;
  }

  /** From now on one of `every` commits of each kind is cut, until each way was taken `wanted` times. */
  cut(wanted, every) {
    [this.#wanted, this.#every] = [wanted, every];
    for (const cut of cuts) this.counts[cut] = 0;
  }

  choose(moment) {
    this.#moments += 1;
    if (this.#moments % this.#every !== 0) return undefined;
    const [before, after] = [this.counts[`before ${moment}`], this.counts[`after ${moment}`]];
    if (Math.min(before, after) >= this.#wanted) return undefined;
    if (before > after) return "after";  // counts once the server says that it has committed
    this.counts[`before ${moment}`] += 1;
    return "before";
  }

  cutAfter(moment) {
    this.counts[`after ${moment}`] += 1;
  }

  /** Nothing passes any more; what is sent arrives when it heals. */
  hang() {
    this.mode = "hang";
  }

  slow(delayMs) {
    [this.mode, this.delayMs] = ["slow", delayMs];
  }

  heal() {
    this.mode = "pass";
    for (const session of [...this.sessions]) session.heal();
  }

  async close() {
    this.mode = "pass";
    const closed = new Promise((done) => this.listener.close(done));
    for (const session of [...this.sessions]) session.end();
    await closed;
  }
}
