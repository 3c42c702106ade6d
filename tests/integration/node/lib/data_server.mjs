// SPDX-License-Identifier: MIT
// A user's data server (PDS) on loopback: the block records of the users it hosts, page by page, as
// com.atproto.repo.listRecords gives them.
import { createServer } from "node:http";

const collection = "app.bsky.graph.block";
const recordsPerPageMax = 100;

export class DataServer {
  #blocks = new Map();  // by user: the newest first
  #server;
  #made = 0;
  requests = 0;
  broken = false;  // answers 500 while set

  static async start() {
    const one = new DataServer();
    one.#server = createServer((request, response) => one.#answer(request, response));
    await new Promise((resolve) => one.#server.listen(0, "127.0.0.1", resolve));
    one.#server.unref();
    return one;
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  /** From now on the users' documents in the directory name this server. */
  host(directory, ...users) {
    for (const { owner } of users) {
      owner.dataServer = this.url;
      directory.add(owner);
      this.#blocks.set(owner.did, []);
    }
  }

  /** `user` blocks `other`; the record's URI. */
  block(user, other) {
    this.#made += 1;
    const uri = `at://${user.did}/${collection}/3k${String(this.#made).padStart(11, "0")}`;
    const value = { $type: collection, subject: other.did ?? other, createdAt: "2026-11-01T10:00:00.000Z" };
    this.#blocks.get(user.did).unshift({ uri, cid: "bafyreib2rxk3rybk3aobmv5cjuql3bm2twh4jo5uxgf5kpqcsgz7soitae", value });
    return uri;
  }

  unblock(user, other) {
    this.#blocks.set(user.did, this.#blocks.get(user.did).filter(({ value }) => value.subject !== other.did));
  }

  /** The repository of `user` is gone. */
  drop(user) {
    this.#blocks.delete(user.did);
  }

  close() {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(request, response) {
    this.requests += 1;
    const { pathname, searchParams } = new URL(request.url, "http://localhost");
    const say = (status, body) => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(body));
    };
    if (this.broken) return say(500, { error: "InternalServerError" });
    if (pathname !== "/xrpc/com.atproto.repo.listRecords" || searchParams.get("collection") !== collection) {
      return say(404, { error: "MethodNotImplemented" });
    }
    const all = this.#blocks.get(searchParams.get("repo"));
    if (!all) return say(400, { error: "RepoNotFound", message: "Could not find repo" });
    const limit = Math.min(Number(searchParams.get("limit") ?? 50), recordsPerPageMax);
    const from = Number(searchParams.get("cursor") ?? 0);
    const records = all.slice(from, from + limit);
    say(200, { records, ...(from + limit < all.length ? { cursor: String(from + limit) } : {}) });
  }
}
