// SPDX-License-Identifier: MIT
// Service tokens by hand: every part of one can be replaced before or after it is signed.
import { createHmac, randomUUID } from "node:crypto";
import { serviceDid } from "./directory.mjs";

export const segment = (value) => Buffer.from(typeof value === "string" || Buffer.isBuffer(value) ? value : JSON.stringify(value)).toString("base64url");
export const nowSeconds = () => Math.floor(Date.now() / 1000);
export const algorithmOf = (identity) => identity.keypair.jwtAlg;

export const claimsOf = (identity, lxm, extra = {}) => {
  const now = nowSeconds();
  return { iss: identity.did, aud: serviceDid, lxm, iat: now, exp: now + 60, jti: randomUUID(), ...extra };
};

/** `claims` and `header` are objects, or JSON text; `key` signs, by default the issuer's own. */
export async function signedToken(claims, key, header) {
  const text = `${segment(header ?? { typ: "JWT", alg: key.jwtAlg })}.${segment(claims)}`;
  return `${text}.${Buffer.from(await key.sign(Buffer.from(text))).toString("base64url")}`;
}

export const hmacToken = (claims, secret, header = { typ: "JWT", alg: "HS256" }, hash = "sha256") => {
  const text = `${segment(header)}.${segment(claims)}`;
  return `${text}.${createHmac(hash, secret).update(text).digest("base64url")}`;
};

export const withSignature = (token, signature) => `${token.slice(0, token.lastIndexOf("."))}.${Buffer.from(signature).toString("base64url")}`;
export const signatureOf = (token) => Buffer.from(token.slice(token.lastIndexOf(".") + 1), "base64url");

/** Orders of the groups: s and n - s sign the same. */
export const orders = {
  ES256K: 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n,
  ES256: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
};
export const primes = {
  ES256K: 0xfffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2fn,
  ES256: 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn,
};

export const scalar = (value) => Buffer.from(value.toString(16).padStart(64, "0"), "hex");
export const numberOf = (bytes) => BigInt(`0x${Buffer.from(bytes).toString("hex")}`);

export function highTwin(token, algorithm) {
  const signature = signatureOf(token);
  return withSignature(token, Buffer.concat([signature.subarray(0, 32), scalar(orders[algorithm] - numberOf(signature.subarray(32)))]));
}
