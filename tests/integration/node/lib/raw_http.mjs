// SPDX-License-Identifier: MIT
// HTTP/1.1 without a client library: sends any bytes, and tells every answer that came, in order.
import { connect } from "node:net";

const ceilingMs = 60_000;  // Against hangs; not a measurement.

/** The answers in `bytes`, as far as they are whole; `rest` is what follows them. */
export function parseAnswers(bytes) {
  const answers = [];
  for (;;) {
    const end = bytes.indexOf("\r\n\r\n");
    if (end < 0) return { answers, rest: bytes };
    const [line, ...fields] = bytes.toString("latin1", 0, end).split("\r\n");
    const headers = Object.fromEntries(fields.map((field) => [field.slice(0, field.indexOf(":")).toLowerCase(), field.slice(field.indexOf(":") + 1).trim()]));
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(line)?.[1]);
    if (!status) throw new Error(`not an answer: ${line.slice(0, 80)}`);
    const length = status < 200 ? 0 : Number(headers["content-length"] ?? NaN);
    if (Number.isNaN(length)) throw new Error(`an answer without a length: ${line}`);
    if (bytes.length < end + 4 + length) return { answers, rest: bytes };
    answers.push({ status, headers, text: bytes.toString("utf8", end + 4, end + 4 + length) });
    bytes = bytes.subarray(end + 4 + length);
  }
}

export class RawConnection {
  #socket;
  #bytes = Buffer.alloc(0);
  #wake = () => {};
  ended = false;

  static async open(url) {
    const { hostname, port } = new URL(url);
    const connection = new RawConnection();
    const socket = connect({ port: Number(port), host: hostname });
    connection.#socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (chunk) => { connection.#bytes = Buffer.concat([connection.#bytes, chunk]); connection.#wake(); });
    // A reset is an end too: the server may close while it is still being sent to.
    for (const end of ["end", "error", "close"]) socket.on(end, () => { connection.ended = true; connection.#wake(); });
    await new Promise((resolve, reject) => { socket.once("connect", resolve); socket.once("error", reject); });
    return connection;
  }

  send(bytes) {
    this.#socket.write(bytes);
  }

  shutSending() {
    this.#socket.end();
  }

  close() {
    this.#socket.destroy();
  }

  async #until(what, reached) {
    let timer;
    const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(`${what}: not within ${ceilingMs} ms`)), ceilingMs); });
    try {
      while (!reached()) await Promise.race([late, new Promise((resume) => { this.#wake = resume; })]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** The next answer, or nothing if the connection ended before it was whole. 100 Continue is skipped. */
  async answer() {
    for (;;) {
      let parsed;
      await this.#until("an answer", () => (parsed = parseAnswers(this.#bytes)).answers.length > 0 || this.ended);
      const [first] = parsed.answers;
      if (!first) return undefined;
      const whole = this.#bytes.indexOf("\r\n\r\n") + 4 + (first.status < 200 ? 0 : Number(first.headers["content-length"]));
      this.#bytes = this.#bytes.subarray(whole);
      if (first.status >= 200) return first;
    }
  }

  /** Everything until the server ends the connection. */
  async toEnd() {
    await this.#until("the end", () => this.ended);
    this.close();
    return parseAnswers(this.#bytes);
  }
}

/** Sends all of it and no more, and reads to the end. */
export async function exchange(url, bytes) {
  const connection = await RawConnection.open(url);
  connection.send(bytes);
  connection.shutSending();
  return connection.toEnd();
}
