// SPDX-License-Identifier: MIT
// Reads subscribeConvoEvents in the background as clients do: a ticket first, then binary frames of
// two DAG-CBOR items each. Every frame is held to the form that all generations of decoders take.
import assert from "node:assert/strict";
import { Frame } from "@atproto/xrpc-server";
import { encode } from "@atproto/lex-cbor";
import WebSocket from "ws";
import { lexicons } from "./xrpc.mjs";

export const nsid = "blue.catbird.mls.subscribeConvoEvents";
const waitCeilingMs = 60_000;
const lookAgainMs = 5;
const known = new Set(["messageEvent", "reactionEvent", "typingEvent", "infoEvent", "newDeviceEvent", "groupInfoRefreshRequestedEvent", "readditionRequestedEvent", "membershipChangeEvent", "readEvent"]);

/** One frame as an event: { type, cursor, … }. */
function eventOf(data) {
  const frame = Frame.fromBytes(data);
  assert.ok(frame.isMessage(), "never an error frame");
  const { header, body } = frame;
  const [nsidOf, type] = header.t.split("#");
  assert.equal(nsidOf, nsid, "the type in full");
  assert.ok(known.has(type), type);
  const canonical = Buffer.concat([encode({ op: 1, t: header.t }), encode(body)]);
  assert.deepEqual(Buffer.from(data), canonical, "two items in their canonical form, and nothing behind");
  lexicons.getDefOrThrow(`${nsid}#${type}`);
  return { type, ...body };
}

export class EventSocket {
  events = [];
  cursor;

  constructor(user, convoId) {
    Object.assign(this, { user, convoId });
  }

  url(parameters) {
    return `${this.user.server.url.replace("http", "ws")}/xrpc/${nsid}?${new URLSearchParams(parameters)}`;
  }

  async open(parameters = {}, headers = {}) {
    const { ticket } = await this.user.ok("getSubscriptionTicket", this.convoId ? { convoId: this.convoId } : {});
    this.ticket = this.user.world.secret(ticket);
    await this.connect({ ticket, ...(this.cursor ? { cursor: this.cursor } : {}), ...parameters }, headers);
    return this;
  }

  /** Resolves once connected, rejects with the HTTP status otherwise. */
  connect(parameters, headers = {}) {
    this.closed = undefined;
    this.failure = undefined;
    this.socket = new WebSocket(this.url(parameters), { headers });
    this.socket.on("message", (data, isBinary) => {
      try {
        assert.ok(isBinary, "no text frames");
        const event = eventOf(data);
        this.cursor = event.cursor;
        this.events.push(event);
      } catch (error) {
        this.failure ??= error;
      }
    });
    this.socket.on("close", (code, reason) => { this.closed = { code, reason: String(reason) }; });
    return new Promise((resolve, reject) => {
      this.socket.on("open", resolve);
      this.socket.on("unexpected-response", (request, response) => {
        request.destroy();
        reject(Object.assign(new Error(`HTTP ${response.statusCode}`), { status: response.statusCode }));
      });
      this.socket.on("error", reject);
    });
  }

  get rows() {
    return this.events.filter(({ type }) => type === "messageEvent").map(({ message }) => message);
  }

  /** Everything but messages and what the stream says of itself, without cursors. */
  get news() {
    return this.events.filter(({ type }) => !["messageEvent", "infoEvent"].includes(type)).map(({ cursor, ...event }) => event);
  }

  get notices() {
    return this.events.filter(({ type }) => type === "infoEvent").map(({ info }) => info);
  }

  async until(what, reached) {
    const deadline = Date.now() + waitCeilingMs;
    while (!reached()) {
      if (this.failure) throw this.failure;
      if (Date.now() > deadline) throw new Error(`${what} did not come; ${JSON.stringify(this.closed)}; last: ${JSON.stringify(this.events.at(-1))}`);
      await new Promise((resume) => setTimeout(resume, lookAgainMs));
    }
    if (this.failure) throw this.failure;
  }

  untilRow(convoId, seq) {
    return this.until(`${convoId} ${seq}`, () => this.rows.some((row) => row.convoId === convoId && row.seq >= seq));
  }

  untilClosed() {
    return this.until("the close", () => this.closed);
  }

  async close() {
    this.socket?.close();
    if (this.socket) await this.untilClosed();
  }
}
