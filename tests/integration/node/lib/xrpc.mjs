// SPDX-License-Identifier: MIT
// One user's calls. Every request and every answer is held to our lexicon files.
import { readFileSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { Lexicons, jsonToLex } from "@atproto/lexicon";

const prefix = "blue.catbird.mls.";
const triesMax = 20;
const pauseMsMax = 1000;
const callCeilingMs = 60_000;
// Names any method may answer, which the lexicons therefore do not repeat. A 500 is never allowed.
const generalNames = new Set(["InvalidRequest", "AuthenticationRequired", "NotMember", "Conflict",
  "RateLimitExceeded", "TemporarilyUnavailable", "Overloaded", "MethodNotImplemented", "AccountTakedown"]);
// Undeclared on purpose: clients react to the status, which a declared name would hide from them.
const undeclaredNames = { processExternalCommit: ["EpochMismatch"] };

function loadLexicons() {
  const folder = resolve(import.meta.dirname, "../../../../data/lexicon");
  const files = readdirSync(folder).filter((name) => name.startsWith(prefix));
  return new Lexicons(files.map((name) => JSON.parse(readFileSync(join(folder, name), "utf8"))));
}

export const lexicons = loadLexicons();

export class XrpcError extends Error {
  constructor(method, status, body) {
    super(`${method}: ${status} ${body.error}: ${body.message}`);
    Object.assign(this, { method, status, body, name: body.error });
  }
}

/** What the lexicon language cannot say: no nulls, no empty cursor, bytes as padded base64. */
function assertPlain(value, path) {
  if (value === null) throw new Error(`${path} is null; absent was expected`);
  if (typeof value !== "object") return;
  for (const [key, inner] of Object.entries(value)) {
    if (key === "cursor" && inner === "") throw new Error(`${path}.cursor is empty`);
    if (key === "$bytes" && (inner.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(inner))) {
      throw new Error(`${path} is not padded standard base64`);
    }
    assertPlain(inner, `${path}.${key}`);
  }
}

function assertError(method, status, body, expected) {
  if (typeof body?.error !== "string" || typeof body?.message !== "string" || body.message === "") {
    throw new Error(`${method}: ${status} without {error,message}: ${JSON.stringify(body)}`);
  }
  const declared = (lexicons.getDefOrThrow(prefix + method).errors ?? []).map(({ name }) => name);
  const allowed = [...declared, ...generalNames, ...(undeclaredNames[method] ?? []), ...expected];
  if (!allowed.includes(body.error)) {
    throw new Error(`${method}: answered the undeclared error ${body.error}: ${body.message}`);
  }
}

export class Xrpc {
  expectedNames = [];  // errors that a test brings about, beside those of the lexicon

  constructor(server, identity) {
    Object.assign(this, { server, identity });
  }

  get(method, parameters = {}) {
    lexicons.assertValidXrpcParams(prefix + method, parameters);
    const query = new URLSearchParams();
    for (const [key, value] of Object.entries(parameters)) {
      for (const item of [value].flat()) query.append(key, String(item));
    }
    return this.#call(method, `?${query}`, { method: "GET" });
  }

  post(method, input) {
    lexicons.assertValidXrpcInput(prefix + method, jsonToLex(input));
    return this.#call(method, "", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(input),
    });
  }

  /** One try: { status, body }, or a throw if the connection failed. */
  async once(method, query, init) {
    const token = await this.identity.token(prefix + method);
    const response = await fetch(`${this.server.url}/xrpc/${prefix}${method}${query}`, {
      ...init,
      headers: { ...init.headers, authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(callCeilingMs),
    });
    const text = await response.text();
    const type = response.headers.get("content-type") ?? "";
    if (!type.startsWith("application/json")) throw new Error(`${method}: ${response.status} as ${type}: ${text}`);
    const body = JSON.parse(text);
    assertPlain(body, method);
    if (!response.ok) assertError(method, response.status, body, this.expectedNames);
    return { status: response.status, body, retryAfter: response.headers.get("retry-after") };
  }

  /** 503 says: the same again, later, with a fresh token. Everything else is an answer. */
  async #call(method, query, init) {
    for (let tries = 1; ; tries += 1) {
      const { status, body, retryAfter } = await this.once(method, query, init);
      if (status === 503 && tries < triesMax) {
        if (!retryAfter) throw new Error(`${method}: 503 without Retry-After`);
        await new Promise((resume) => setTimeout(resume, Math.min(Number(retryAfter) * 1000, pauseMsMax)));
        continue;
      }
      if (status >= 300) throw new XrpcError(method, status, body);
      lexicons.assertValidXrpcOutput(prefix + method, jsonToLex(body));
      return body;
    }
  }
}
