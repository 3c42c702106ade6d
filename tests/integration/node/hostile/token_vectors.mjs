// SPDX-License-Identifier: MIT
// Forged tokens, each made from one that would be accepted: [name, token] pairs by group. Every group
// says what is wrong with its tokens and nothing else is.
import { createHash, randomUUID } from "node:crypto";
import { serviceDid } from "../lib/directory.mjs";
import { algorithmOf, claimsOf, highTwin, hmacToken, nowSeconds, numberOf, orders, primes, scalar, segment, signatureOf, signedToken,
  withSignature } from "../lib/tokens.mjs";

const show = (value) => (value === undefined ? "missing" : JSON.stringify(value)).slice(0, 40);

/** The header says something else than the key of the issuer, or something this server must not take. */
export async function headers(identity, lxm) {
  const own = algorithmOf(identity);
  const other = own === "ES256" ? "ES256K" : "ES256";
  const algorithms = ["none", "None", "NONE", "nOnE", "", undefined, null, [own], [own, "none"], {}, { [own]: 1 }, 0, 1, true, other, own.toLowerCase(),
    ` ${own}`, `${own} `, `${own}\u0000`, "HS256", "hs256", "HS384", "HS512", "RS256", "PS256", "ES384", "ES512", "EdDSA", "RSA-OAEP", "dir"];
  const made = [];
  for (const alg of algorithms) {
    const token = await signedToken(claimsOf(identity, lxm), identity.keypair, { typ: "JWT", alg });
    made.push([`alg ${show(alg)}`, token]);
    if (typeof alg === "string" && /none|^$/i.test(alg)) made.push([`alg ${show(alg)}, no signature`, withSignature(token, "")]);
  }
  const others = [{ typ: "at+jwt" }, { typ: "refresh+jwt" }, { typ: "JWE" }, { typ: "" }, { typ: 5 }, { typ: ["JWT"] }, { typ: null }, { crit: ["exp"] },
    { crit: [] }, { crit: "exp" }, { crit: null }, { crit: ["b64"], b64: false }];
  for (const extra of others) made.push([`header ${show(extra)}`, await signedToken(claimsOf(identity, lxm), identity.keypair, { typ: "JWT", alg: own, ...extra })]);
  for (const text of [`{"alg":"${own}","alg":"none"}`, `{"alg":"none","alg":"${own}"}`, `{"typ":"JWT","typ":"JWT","alg":"${own}"}`, "", "null", "[]", `"${own}"`,
    `{"alg":"${own}"`, `{"alg":"${own}"}x`, `\ufeff{"alg":"${own}"}`, `{"alg":"${own}","x":"\\ud800"}`, `{'alg':'${own}'}`,
    `{"alg":"${own}","x":${"[".repeat(40)}${"]".repeat(40)}}`, `{"alg":"${own}",${Array.from({ length: 70 }, (_, index) => `"x${index}":0`)}}`]) {
    made.push([`header text ${text.slice(0, 30)}`, await signedToken(claimsOf(identity, lxm), identity.keypair, text)]);
  }
  return made;
}

/** HS256 with what everybody knows as the secret, against a server that does accept HS256 with the right one. */
export function publicSecrets(identity, lxm) {
  const { keypair } = identity;
  const point = Buffer.from(keypair.publicKeyBytes());
  const did = keypair.did();
  const document = identity.document();
  const secrets = { "the point": point, "its hexadecimal": point.toString("hex"), "its base64": point.toString("base64"), "its base64url": point.toString("base64url"),
    "did:key": did, multibase: did.slice("did:key:".length), "base58 of it": did.slice("did:key:z".length), document: JSON.stringify(document),
    method: JSON.stringify(document.verificationMethod[0]), "the x coordinate": point.subarray(1), nothing: "", zeros: Buffer.alloc(32), issuer: identity.did,
    "service DID": serviceDid, "SHA-256 of the point": createHash("sha256").update(point).digest() };
  const made = Object.entries(secrets).map(([name, secret]) => [`HS256, secret: ${name}`, hmacToken(claimsOf(identity, lxm), secret)]);
  for (const [alg, hash] of [["HS384", "sha384"], ["HS512", "sha512"]]) made.push([alg, hmacToken(claimsOf(identity, lxm), point, { typ: "JWT", alg }, hash)]);
  return made;
}

/** Claims that are wrong, signed by the right key. */
export async function claims(identity, lxm) {
  const now = nowSeconds();
  const [name, method] = [identity.did, lxm.slice(lxm.lastIndexOf(".") + 1)];
  const wrong = {
    aud: [undefined, null, "", 5, true, [serviceDid], [serviceDid, "did:web:other.test"], { did: serviceDid }, "did:web:other.test", serviceDid.toUpperCase(),
      serviceDid.replace("catbird", "Catbird"), `${serviceDid}#`, `${serviceDid}#atproto_pds`, `${serviceDid}#atproto_MLS`, `${serviceDid}#atproto_mls#x`,
      `${serviceDid}.evil.test`, `${serviceDid}%3A443`, `${serviceDid}:x`, `${serviceDid}/`, ` ${serviceDid}`, `${serviceDid} `, `${serviceDid}\u0000`,
      serviceDid.slice(0, -1), "*", "https://catbird.test", "catbird.test", name],
    lxm: [undefined, null, "", 5, [lxm], { lxm }, lxm.slice(0, -1), `${lxm}x`, `${lxm}#`, `${lxm} `, ` ${lxm}`, `${lxm}\u0000`, lxm.toUpperCase(),
      lxm.toLowerCase(), "*", "blue.catbird.mls.*", "blue.catbird.mls", "blue.catbird.mls.getConvos", method, `${lxm},blue.catbird.mls.getConvos`, `/xrpc/${lxm}`],
    exp: [undefined, null, "", "soon", String(now + 60), now - 31, now - 3600, 0, -1, now + 331, now + 3600, now * 1000, 2 ** 53, 2 ** 63, 1e300, [now + 60],
      true, now - 60.5, now + 3600.5],
    iat: [now + 60, now + 3600, String(now), null, true, [now], -1, 2 ** 63, now - 300, now - 86_400],
    nbf: [now + 60, now + 3600, String(now), null, true, 2 ** 63],
    jti: [undefined, null, "", 5, true, [randomUUID()], { id: 1 }, "x".repeat(257), "x".repeat(3000)],
    iss: [undefined, null, "", 5, [name], "alice", "alice.test", name.toUpperCase(), name.replace("did:", "DID:"), name.replace("plc", "PLC"), `${name}#`,
      `${name}#a#b`, `${name}#a b`, `${name}#${"x".repeat(200)}`, `${name}#\u0000`, `${name}?x`, `${name}/`, `${name} `, ` ${name}`, `${name}\u0000`, `${name}:x`,
      name.slice(0, -1), `${name}a`, name.replace(/.$/, "1"), identity.keypair.did(), `${identity.keypair.did()}#x`, "did:web:localhost%3A1", "did:web:catbird.test",
      "did:web:127.0.0.1", "did:example:alice", "did:plc:", "did:", encodeURIComponent(name)],
  };
  const made = [];
  for (const [claim, values] of Object.entries(wrong)) {
    for (const value of values) made.push([`${claim} ${show(value)}`, await signedToken(claimsOf(identity, lxm, { [claim]: value }), identity.keypair)]);
  }
  const text = JSON.stringify(claimsOf(identity, lxm));
  for (const [what, bytes] of [["a claim twice", text.replace("{", `{"iss":"did:plc:aaaaaaaaaaaaaaaaaaaaaaaa",`)], ["aud twice", text.replace("{", '{"aud":"x",')],
    ["2^63 in figures", text.replace(/"exp":\d+/, '"exp":9223372036854775808')], ["2^64 + 60", text.replace(/"exp":\d+/, '"exp":18446744073709551676')],
    ["NaN", text.replace(/"exp":\d+/, '"exp":NaN')], ["an array around it", `[${text}]`], ["two objects", `${text}${text}`], ["UTF-16", Buffer.from(text, "utf16le")],
    ["invalid UTF-8", Buffer.concat([Buffer.from(text.slice(0, -1)), Buffer.from(',"x":"'), Buffer.of(0xff), Buffer.from('"}')])], ["nothing", ""], ["no JSON", "hello"]]) {
    made.push([`claims: ${what}`, await signedToken(Buffer.isBuffer(bytes) ? bytes : String(bytes), identity.keypair)]);
  }
  return made;
}

/** The signature is not one: [name, token] with everything before it as it should be. */
export async function signatures(identity, lxm) {
  const algorithm = algorithmOf(identity);
  const [n, p] = [orders[algorithm], primes[algorithm]];
  const fresh = () => signedToken(claimsOf(identity, lxm), identity.keypair);
  const made = [];
  const add = async (name, change) => {
    const token = await fresh();
    made.push([`${algorithm} ${name}`, withSignature(token, change(signatureOf(token)))]);
  };
  const values = { 0: 0n, 1: 1n, "n - 1": n - 1n, n, "n + 1": n + 1n, p, "2^256 - 1": 2n ** 256n - 1n, "half n + 1": n / 2n + 1n };
  for (const [name, value] of Object.entries(values)) {
    await add(`r = ${name}`, (good) => Buffer.concat([scalar(value), good.subarray(32)]));
    await add(`s = ${name}`, (good) => Buffer.concat([good.subarray(0, 32), scalar(value)]));
    await add(`r = s = ${name}`, () => Buffer.concat([scalar(value), scalar(value)]));
  }
  for (const size of [0, 1, 32, 63]) await add(`cut to ${size}`, (good) => good.subarray(0, size));
  for (const more of [1, 32, 64]) await add(`${more} longer`, (good) => Buffer.concat([good, Buffer.alloc(more)]));
  await add("a zero before each half", (good) => Buffer.concat([Buffer.alloc(1), good.subarray(0, 32), Buffer.alloc(1), good.subarray(32)]));
  await add("halves swapped", (good) => Buffer.concat([good.subarray(32), good.subarray(0, 32)]));
  await add("bytes reversed", (good) => Buffer.from(good).reverse());
  await add("DER", (good) => {
    const integer = (half) => { const body = half[0] & 0x80 ? Buffer.concat([Buffer.alloc(1), half]) : half; return Buffer.concat([Buffer.of(2, body.length), body]); };
    const body = Buffer.concat([integer(good.subarray(0, 32)), integer(good.subarray(32))]);
    return Buffer.concat([Buffer.of(0x30, body.length), body]);
  });
  for (let bit = 0; bit < 512; bit += 37) {
    await add(`bit ${bit} flipped`, (good) => { const bad = Buffer.from(good); bad[bit >> 3] ^= 1 << (bit & 7); return bad; });
  }
  // Policy, auth/signature.hpp: only the low s of the two that verify, so that no token has a twin.
  made.push([`${algorithm} high s`, highTwin(await fresh(), algorithm)]);
  if (numberOf(signatureOf(await fresh()).subarray(32)) > n / 2n) throw new Error("the signer of the tests should make a low s");
  made.push([`${algorithm} of another token`, withSignature(await fresh(), signatureOf(await fresh()))]);
  const claimsText = await fresh();
  made.push([`${algorithm} hashed twice`, withSignature(claimsText, await identity.keypair.sign(createHash("sha256").update(claimsText.slice(0, claimsText.lastIndexOf("."))).digest()))]);
  made.push([`${algorithm} over the claims alone`, withSignature(claimsText, await identity.keypair.sign(Buffer.from(claimsText.split(".")[1])))]);
  return made;
}

/** One good token in other clothes: none of them is a token. */
export async function encodings(identity, lxm) {
  const fresh = async () => (await signedToken(claimsOf(identity, lxm), identity.keypair)).split(".");
  const made = [];
  const add = async (name, change) => made.push([name, change(...await fresh())]);
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  // The last character of 64 bytes carries 4 bits that mean nothing; strict readers want them zero.
  for (const bits of [1, 2, 3]) {
    await add(`non-zero trailing bits ${bits}`, (h, c, s) => `${h}.${c}.${s.slice(0, -1)}${alphabet[alphabet.indexOf(s.at(-1)) | bits]}`);
  }
  for (const pad of ["=", "==", "===", "%3D"]) {
    for (const [at, name] of ["header", "claims", "signature"].entries()) await add(`${pad} behind the ${name}`, (...parts) => parts.map((part, index) => part + (index === at ? pad : "")).join("."));
  }
  for (const space of [" ", "\t", "%20", "\u00a0", "*", "+", "/"]) {
    await add(`${JSON.stringify(space)} inside`, (h, c, s) => `${h}.${c.slice(0, 5)}${space}${c.slice(5)}.${s}`);
    await add(`${JSON.stringify(space)} before a dot`, (h, c, s) => `${h}${space}.${c}.${s}`);
  }
  await add("standard alphabet", (h, c, s) => `${h}.${c}.${`${s.slice(0, -4)}+/+/`}`);
  await add("two segments", (h, c) => `${h}.${c}`);
  await add("one segment", (h) => h);
  await add("four segments", (h, c, s) => `${h}.${c}.${s}.${s}`);
  await add("five, as a JWE", (h, c, s) => `${h}..${c}.${s}.${s}`);
  await add("a dot behind", (h, c, s) => `${h}.${c}.${s}.`);
  await add("a dot before", (h, c, s) => `.${h}.${c}.${s}`);
  await add("claims first", (h, c, s) => `${c}.${h}.${s}`);
  await add("signature first", (h, c, s) => `${s}.${h}.${c}`);
  await add("signature second", (h, c, s) => `${h}.${s}.${c}`);
  await add("no claims", (h, c, s) => `${h}..${s}`);
  await add("no header", (h, c, s) => `.${c}.${s}`);
  await add("only dots", () => "..");
  await add("claims encoded twice", (h, c, s) => `${h}.${segment(c)}.${s}`);
  await add("cut in the middle", (h, c, s) => `${h}.${c}.${s}`.slice(0, 150));
  await add("two tokens", (h, c, s) => `${h}.${c}.${s} ${h}.${c}.${s}`);
  await add("two tokens, a comma", (h, c, s) => `${h}.${c}.${s}, Bearer ${h}.${c}.${s}`);
  await add("quoted", (h, c, s) => `"${h}.${c}.${s}"`);
  await add("JSON form", (h, c, s) => JSON.stringify({ protected: h, payload: c, signature: s }));
  return made;
}
