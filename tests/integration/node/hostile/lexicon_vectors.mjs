// SPDX-License-Identifier: MIT
// Inputs mutated field by field, driven by the lexicon files: what a field can hold instead of what it
// should, as bytes of JSON, and whether the server has to refuse it.
import { jsonToLex } from "@atproto/lexicon";
import { lexicons } from "../lib/xrpc.mjs";
import { prefix } from "../lib/world.mjs";

const marker = "@@here@@";
const latin1 = (text) => Buffer.from(text).toString("latin1");  // bodies are sent as Latin-1: one character, one byte
const quoted = (text) => latin1(JSON.stringify(text));

const schemaOf = (nsid, schema) => (schema.type === "ref" ? lexicons.getDefOrThrow(schema.ref.startsWith("#") ? nsid + schema.ref : schema.ref) : schema);

/** Every field of an input that the lexicon describes and `value` has: [path, schema], the nested ones too. */
export function* fieldsOf(nsid, schema, value, path = []) {
  const here = schemaOf(nsid, schema);
  if (path.length > 0) yield [path, here];
  if (here.type === "object") {
    for (const [name, inner] of Object.entries(here.properties ?? {})) yield* fieldsOf(nsid, inner, value?.[name], [...path, name]);
  }
  if (here.type === "array") yield* fieldsOf(nsid, here.items, value?.[0], [...path, 0]);
}

/** The text of `base` with `raw` in place of what is at `path`; without `raw`, nothing is there. */
export function replaced(base, path, raw) {
  const copy = structuredClone(base);
  const last = path.at(-1);
  const parent = path.slice(0, -1).reduce((at, name) => at[name] ??= {}, copy);
  if (raw === undefined && Array.isArray(parent)) parent.splice(last, 1);
  else if (raw === undefined) delete parent[last];
  else parent[last] = marker;
  return latin1(JSON.stringify(copy)).replace(`"${marker}"`, () => raw);
}

const nests = (open, close, depth) => `${open.repeat(depth)}1${close.repeat(depth)}`;
const dids = (count) => Array.from({ length: count }, (_, index) => `did:plc:${[...index.toString(26).padStart(24, "0")].map((digit) => "abcdefghijklmnopqrstuvwxyz"[parseInt(digit, 26)]).join("")}`);

/** Wherever a value can stand: never JSON this server reads. */
const broken = { "a bare word": "undefined", "NaN": "NaN", "a hexadecimal number": "0x10", "a plus sign": "+1", "leading zeros": "007", "a number of 1e400": "1e400", "a lone surrogate": '"\\ud800"', "two in the wrong order": '"\\udc00\\ud800"',
  "invalid UTF-8": '"\xff\xfe"', "an overlong form": '"\xc0\x80"', "a surrogate in UTF-8": '"\xed\xa0\x80"', "a raw NUL": '"a\x00b"', "a raw line feed": '"a\nb"', "a bad escape": '"\\x41"', "half an escape": '"\\u12"', "no end": '"abc',
  "an open array": "[1", "arrays 100 deep": nests("[", "]", 100), "objects 100 deep": nests('{"a":', "}", 100), "arrays 100,000 deep": "[".repeat(100_000), "two values": "1 2", "a comment": "/**/1", "nothing": "", "a trailing comma": "[1,]" };

const common = { "null": "null", "true": "true", "zero": "0", "a fraction": "1.5", "minus one": "-1", "2^63": "9223372036854775808", "2^64": "18446744073709551616", "a huge number": "9".repeat(400), "an empty text": '""', "a text": '"x"', "an empty list": "[]",
  "a list of lists": "[[]]", "a list of null": "[null]", "a list with a number": "[1]", "an empty object": "{}", "an object": '{"a":1}', "$bytes of a number": '{"$bytes":1}', "$bytes of nothing": '{"$bytes":""}', "a $link": '{"$link":"x"}' };

const texts = { "one NUL": '"\\u0000"', "a NUL inside": '"a\\u0000b"', "a space": '" "', "control characters": '"\\u0001\\u001f\\u007f"', "a right-to-left mark": quoted("\u202eabc"), "SQL": `"x' OR '1'='1"`, "more SQL": `"'; DROP TABLE message; --"`,
  "a path": '"../../etc/passwd"', "a format": '"%s%n%x"', "a template": '"${jndi:ldap://x}"', "100,000 characters": quoted("x".repeat(100_000)), "100,000 accents": quoted("e" + "\u0301".repeat(50_000)) };

const badDids = ["did:", "did:plc:", "did:web:", "did:plc:short", "did:plc:UPPERUPPERUPPERUPPERUPPE", "DID:plc:aaaaaaaaaaaaaaaaaaaaaaaa", "did:plc:aaaaaaaaaaaaaaaaaaaaaaa1", "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa ", " did:plc:aaaaaaaaaaaaaaaaaaaaaaaa",
  "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa\u0000", "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa#", "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/x", "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa?x", "did:key:zQ3sh", "did:web:127.0.0.1", "did:web:a/b", "did:web:x", `did:web:${"a.".repeat(2000)}org`, "alice.test", "at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"];
const badBase64 = ["!", "a", "ab", "abc", "abcde", "ab=c", "====", "ab==cd", "a b c d", "abcd\n", "abc\u0000", "\u00e4bcd", "ab+/-_cd", "data:;base64,AAAA"];

/** Names of fields whose text holds MLS bytes in base64. */
const blobs = /^(commit|externalCommit|welcomeMessage|groupInfo|keyPackage|ciphertext)$/;

function blobVariants(name, value) {
  const framed = name === "ciphertext" ? 4 : 0;  // behind a length
  const bytes = Buffer.from(value.$bytes ?? value, "base64");
  const wrap = (changed) => (value.$bytes ? JSON.stringify({ $bytes: changed.toString("base64") }) : quoted(changed.toString("base64")));
  const flipped = (at) => { const copy = Buffer.from(bytes); copy[at] ^= 0x80; return copy; };
  const made = { "cut in half": bytes.subarray(0, bytes.length >> 1), "cut by one": bytes.subarray(0, -1), "one byte": bytes.subarray(0, 1), "a byte more": Buffer.concat([bytes, Buffer.of(1)]), "twice": Buffer.concat([bytes, bytes]), "zeros": Buffer.alloc(bytes.length),
    "0xff": Buffer.alloc(bytes.length, 0xff), "another version": flipped(framed + 1), "another wire format": flipped(framed + 3), "a huge length": Buffer.concat([bytes.subarray(0, 4), Buffer.alloc(8, 0xbf), bytes.subarray(12)]) };
  return Object.fromEntries(Object.entries(made).map(([name, changed]) => [`MLS bytes ${name}`, wrap(changed)]));
}

/** [what, raw, always]: `always` is to be refused whatever the lexicon says. */
export function* valuesFor(path, schema, value) {
  // Nothing between the brackets of a list is an empty list.
  for (const [what, raw] of Object.entries(broken)) if (raw !== "" || path.at(-1) !== 0) yield [what, raw, true];
  yield ["missing", undefined, false];
  for (const [what, raw] of Object.entries(common)) yield [what, raw, false];
  if (schema.type === "string" || schema.type === "bytes") for (const [what, raw] of Object.entries(texts)) yield [what, raw, false];
  if (schema.maxLength && schema.type === "string") yield [`${schema.maxLength + 1} characters`, quoted("x".repeat(schema.maxLength + 1)), false];
  if (schema.format === "did") for (const did of badDids) yield [`DID ${did.slice(0, 40)}`, quoted(did), true];
  if (schema.format === "datetime") for (const time of ["now", "2026", "2026-13-01T00:00:00Z", "2026-01-01", "2026-02-30T00:00:00Z", "9999999-01-01T00:00:00Z", "2026-01-01T25:00:00Z", "2026-01-01T00:00:00"]) yield [`time ${time}`, quoted(time), true];
  if (schema.type === "integer") for (const raw of ["1.0", "1e2", "-9223372036854775809", '"1"', String(2 ** 53 + 2)]) yield [`number ${raw}`, raw, false];
  if (schema.type === "array" && schema.maxLength) {
    const items = schema.items.type === "string" ? dids(schema.maxLength + 1) : Array.from({ length: schema.maxLength + 1 }, () => value[0]);
    yield [`${schema.maxLength + 1} items`, JSON.stringify(items), true];
  }
  if (blobs.test(String(path.at(-1))) && value) {
    for (const text of badBase64) yield [`base64 ${JSON.stringify(text)}`, quoted(text), true];
    for (const [what, raw] of Object.entries(blobVariants(path.at(-1), value))) yield [what, raw, !path.includes("heldMessages")];  // those are opaque
  }
  if (/hash$/i.test(String(path.at(-1)))) for (const text of ["", "xyz", "abc", "0x00", " ab", "ab\u0000"]) yield [`hash ${JSON.stringify(text)}`, quoted(text), true];
}

/** What nobody declared, and what is there twice. */
export function* wholeBodies(base) {
  const text = latin1(JSON.stringify(base));
  for (const name of Object.keys(base)) yield [`${name} twice`, text.replace("{", `{${quoted(name)}:${latin1(JSON.stringify(base[name]))},`), true];
  yield ["an unknown field twice", text.replace("{", '{"x":1,"x":1,'), true];
  yield ["an unknown field, too deep", text.replace("{", `{"x":${nests("[", "]", 60)},`), true];
  for (const around of [`[${text}]`, `"${Buffer.from(text, "latin1").toString("base64")}"`, "{}{}", text + text, `${text}x`, text.slice(0, -1), `\x00${text}`, `${text}\x00`, "{", "null", "0", ""]) yield [`instead of the body: ${around.slice(0, 12)}`, around, true];
  for (const key of ['"__proto__":{"x":1}', '"constructor":1', '"":1', '"x":null', '"$type":"x"', '"sub":"did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"', '"iss":"did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"', '"isAdmin":true']) yield [`one more: ${key}`, text.replace("{", `{${key},`), false];
}

/** What a lexicon says of a whole body. */
export function isDeclared(method, text) {
  try {
    const value = JSON.parse(Buffer.from(text, "latin1").toString("utf8"));
    lexicons.assertValidXrpcInput(prefix + method, jsonToLex(value));
    return true;
  } catch {
    return false;
  }
}

/** Raw query values for a parameter: [what, raw, refused]. */
export function* parameterValues(schema, required) {
  yield ["missing", undefined, required];
  for (const raw of ["%", "%z", "%zz", "%ff", "%c0%80", "%ed%a0%80", "%e4%b8"]) yield [raw, raw, true];
  const number = schema.type === "integer";
  for (const raw of ["", "%00", "a%00b", "null", "x".repeat(6000), "'%20OR%20'1'='1", "%2e%2e%2f", "[]", "{}", "%F0%9F%98%80"]) yield [raw.slice(0, 20), raw, number];
  if (number) for (const raw of ["1.5", "1e3", "-1", "0x1", "+1", "%2B1", "01x", " 1", "%201", "1%20", "9223372036854775808", "18446744073709551616", "9".repeat(400), "--1", "NaN", "Infinity", "\u0665"]) yield [raw.slice(0, 20), encodeURI(raw).replaceAll("%25", "%"), true];
  if (number && schema.maximum) yield ["above the maximum", String(schema.maximum + 1), true];
  if (number && schema.minimum > 0) yield ["below the minimum", String(schema.minimum - 1), true];
  if (schema.format === "did" || schema.items?.format === "did") for (const did of badDids) yield [`DID ${did.slice(0, 40)}`, encodeURIComponent(did), true];
}
