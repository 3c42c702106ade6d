// SPDX-License-Identifier: MIT
// Reads streamConvoEvents in the background, keeps every event, and resumes by its last cursor.
import assert from "node:assert/strict";
import { jsonToLex } from "@atproto/lexicon";
import { lexicons } from "./xrpc.mjs";

const method = "blue.catbird.mls.streamConvoEvents";
const waitCeilingMs = 60_000;
const lookAgainMs = 5;

export class EventStream {
  #abort;
  #reading = Promise.resolve();
  events = [];   // { type, cursor, message?, … } in the order they came, over all connections
  cursor;
  comments = 0;

  /** Without a convoId: all of the user's conversations, those to come included. */
  constructor(server, identity, convoId) {
    Object.assign(this, { server, identity, convoId });
  }

  /** Connects; resolves once the server has said something. What follows is read in the background. */
  async open() {
    this.#abort = new AbortController();
    const query = new URLSearchParams({ ...(this.convoId ? { convoId: this.convoId } : {}), ...(this.cursor ? { cursor: this.cursor } : {}) });
    const token = await this.identity.token(method);
    const response = await fetch(`${this.server.url}/xrpc/${method}?${query}`, {
      headers: { authorization: `Bearer ${token}`, accept: "text/event-stream" },
      signal: this.#abort.signal,
    });
    assert.equal(response.status, 200, `streamConvoEvents: ${response.status}`);
    assert.match(response.headers.get("content-type"), /^text\/event-stream/);
    this.ended = undefined;
    this.#reading = this.#read(response.body).then(() => "ended by the server", String)
      .then((how) => { this.ended = how; });
    this.whenEnded = this.#reading;
    // The first word says that "now" is fixed: what is sent after it cannot be missed.
    const said = this.comments + this.events.length;
    await this.#until("the first word", () => this.ended || this.comments + this.events.length > said);
  }

  async close() {
    this.#abort?.abort();
    await this.#reading;
  }

  /** Until the server has ended the stream by itself. */
  async untilEnded() {
    await this.#until("the end", () => this.ended);
  }

  /** What the stream says of itself. */
  get notices() {
    return this.events.filter(({ type, convoId }) => type === "infoEvent" && !convoId).map(({ reason }) => reason);
  }

  /** What happened in conversations besides messages: "reason did". */
  get news() {
    return this.events.filter(({ type, convoId }) => type === "infoEvent" && convoId).map(({ reason, did }) => `${reason} ${did}`);
  }

  get rows() {
    return this.events.filter(({ type }) => type === "messageEvent").map(({ message }) => message);
  }

  /** Until a row with this seq has come. The ceiling is against hangs only. */
  async until(seq) {
    await this.#until(`seq ${seq}`, () => this.rows.some((row) => row.seq >= seq));
  }

  untilNotice(reason) {
    return this.#until(reason, () => this.notices.includes(reason));
  }

  untilNews(count) {
    return this.#until(`${count} events besides messages`, () => this.news.length >= count);
  }

  /** Until a row of this conversation, with at least this seq, has come. */
  async untilRow(convoId, seq = 1) {
    await this.#until(`${convoId} ${seq}`, () => this.rows.some((row) => row.convoId === convoId && row.seq >= seq));
  }

  async #until(what, reached) {
    const deadline = Date.now() + waitCeilingMs;
    while (!reached()) {
      if (Date.now() > deadline) {
        throw new Error(`${what} did not come; last seq: ${this.rows.at(-1)?.seq}; ${this.ended ?? "still open"}`);
      }
      await new Promise((resume) => setTimeout(resume, lookAgainMs));
    }
  }

  async #read(body) {
    let text = "";
    for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      const blocks = text.split(/\r?\n\r?\n/);
      text = blocks.pop();
      for (const block of blocks) this.#take(block);
    }
  }

  #take(block) {
    const lines = block.split(/\r?\n/);
    const data = lines.filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trimStart());
    if (data.length === 0) {
      this.comments += 1;
      return;
    }
    const event = JSON.parse(data.join("\n"));
    assert.equal(event.$type, `${method}#${event.type}`);
    const checked = lexicons.validate(event.$type, jsonToLex(event));
    assert.ok(checked.success, String(checked.error));
    this.cursor = event.cursor;
    this.events.push(event);
    this.onEvent?.(event);
  }
}
