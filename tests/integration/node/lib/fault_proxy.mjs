// SPDX-License-Identifier: MIT
// A TCP proxy that fails on purpose. It has one port per fault, so a client chooses the fault by the URL
// it calls; one request per connection.
//   pass           as it comes
//   pieces         as it comes, in pieces of a few bytes
//   delay          as it comes, a little later
//   reset-request  reset once the request is whole; nothing of it reaches the server
//   cut-request    reset after half of the request reached the server
//   reset-answer   the server gets the request; its answer is dropped and the client reset
//   cut-answer     the client gets the first bytes of the answer, then a reset
//   half-close     the server gets the request and the end of the client's side; the client gets an end
//   black-hole     nothing is passed on, nothing is answered, nothing is closed
//   late           the client is reset at once; the request reaches the server when deliverLate() is called
import { connect, createServer } from "node:net";

export const harmless = ["pass", "pieces", "delay"];
export const faults = [...harmless, "reset-request", "cut-request", "reset-answer", "cut-answer", "half-close", "black-hole", "late"];
const delayMs = 5;
const pieceBytes = 97;
const answerBytesBeforeCut = 20;

/** Whether `bytes` holds a whole HTTP/1.1 message with Content-Length, or none and no body. */
function isWhole(bytes) {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) return false;
  const length = /\r\ncontent-length: *(\d+)/i.exec(bytes.subarray(0, end).toString("latin1"));
  return bytes.length >= end + 4 + Number(length?.[1] ?? 0);
}

export class FaultProxy {
  #ports = new Map();
  #servers = [];
  #sockets = new Set();
  #late = [];
  counts = Object.fromEntries(faults.map((fault) => [fault, 0]));

  /** `target` gives the server's port, at each connection anew. */
  static async start(target) {
    const proxy = new FaultProxy();
    proxy.target = target;
    for (const fault of faults) {
      const server = createServer((socket) => proxy.#serve(fault, proxy.#keep(socket)));
      await new Promise((done) => server.listen(0, "127.0.0.1", done));
      proxy.#servers.push(server);
      proxy.#ports.set(fault, server.address().port);
    }
    return proxy;
  }

  port(fault) {
    return this.#ports.get(fault);
  }

  url(fault) {
    return `http://127.0.0.1:${this.port(fault)}`;
  }

  /** Sends what was held back to the server, in order of arrival; gives { status, body } of each. */
  async deliverLate() {
    const answers = [];
    for (const request of this.#late.splice(0)) answers.push(await this.#deliver(request));
    return answers;
  }

  async close() {
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(this.#servers.map((server) => new Promise((done) => server.close(done))));
  }

  #keep(socket) {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket)).on("error", () => {});
    return socket;
  }

  #connect() {
    return this.#keep(connect({ port: this.target(), host: "127.0.0.1", noDelay: true, allowHalfOpen: true }));
  }

  #serve(fault, client) {
    this.counts[fault] += 1;
    let request = Buffer.alloc(0);
    client.on("data", (chunk) => {
      request = Buffer.concat([request, chunk]);
      if (!isWhole(request)) return;
      client.removeAllListeners("data");
      this.#onRequest(fault, client, request);
    });
  }

  #onRequest(fault, client, request) {
    if (fault === "black-hole") return;
    if (fault === "reset-request") return void client.resetAndDestroy();
    if (fault === "late") {
      this.#late.push(request);
      return void client.resetAndDestroy();
    }
    const server = this.#connect();
    server.on("error", () => client.resetAndDestroy());
    if (fault === "cut-request") {
      server.write(request.subarray(0, request.length >> 1), () => {
        server.resetAndDestroy();
        client.resetAndDestroy();
      });
      return;
    }
    this.#answer(fault, client, server);
    if (fault === "pieces") {
      for (let at = 0; at < request.length; at += pieceBytes) server.write(request.subarray(at, at + pieceBytes));
    } else if (fault === "half-close") {
      server.end(request);
    } else if (fault === "delay") {
      setTimeout(() => server.write(request), delayMs);
    } else {
      server.write(request);
    }
  }

  #answer(fault, client, server) {
    if (harmless.includes(fault)) {
      server.pipe(client);
      return;
    }
    const fail = () => {
      if (fault === "half-close") client.end();
      else client.resetAndDestroy();
      server.destroy();
    };
    server.on("end", fail);
    server.once("data", (chunk) => {
      if (fault === "cut-answer") client.write(chunk.subarray(0, answerBytesBeforeCut), fail);
      else fail();
    });
  }

  #deliver(request) {
    return new Promise((done, failed) => {
      const server = this.#connect();
      let answer = Buffer.alloc(0);
      server.on("error", failed).on("data", (chunk) => {
        answer = Buffer.concat([answer, chunk]);
        if (!isWhole(answer)) return;
        server.destroy();
        const text = answer.toString();
        done({ status: Number(text.split(" ")[1]), body: JSON.parse(text.slice(text.indexOf("\r\n\r\n") + 4)) });
      });
      server.write(request);
    });
  }
}
