// SPDX-License-Identifier: MIT
// ts-mls as the tests use it: one suite, bytes in and out, and the padded frame of sendMessage.
import "./ts_mls_corrections.mjs";

// Not static imports: those would be loaded before the corrections are in place.
const mls = await import("ts-mls");
const { makeKeyPackageRef } = await import("ts-mls/keyPackage.js");

export const suiteName = "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519";
export const suiteNamed = (name) => mls.getCiphersuiteImpl(mls.getCiphersuiteFromName(name));
export const suite = await suiteNamed(suiteName);
export { mls };

const keyPackageDays = 30n;
const buckets = [512, 1024, 2048, 4096, 8192];
const version = "mls10";

export const base64 = (bytes) => Buffer.from(bytes).toString("base64");
export const fromBase64 = (text) => new Uint8Array(Buffer.from(text, "base64"));
export const hex = (bytes) => Buffer.from(bytes).toString("hex");
export const utf8 = (text) => new TextEncoder().encode(text);
export const sameBytes = (left, right) => Buffer.compare(Buffer.from(left), Buffer.from(right)) === 0;

/** The signature key of one device, which all its key packages share. */
export const newSignatureKey = (cipherSuite = suite) => cipherSuite.signature.keygen();

/** One key package of `did`: what to publish, what to keep, and its reference. */
export async function newKeyPackage(did, signatureKey, cipherSuite = suite) {
  const now = BigInt(Math.floor(Date.now() / 1000));
  const lifetime = { notBefore: now - 3600n, notAfter: now + keyPackageDays * 86400n };
  const credential = { credentialType: "basic", identity: utf8(did) };
  const made = await mls.generateKeyPackageWithKey(
    credential, mls.defaultCapabilities(), lifetime, [], signatureKey, cipherSuite);
  const bytes = mls.encodeMlsMessage(
    { version, wireformat: "mls_key_package", keyPackage: made.publicPackage });
  const ref = hex(await makeKeyPackageRef(made.publicPackage, cipherSuite.hash));
  return { ...made, bytes, ref };
}

export function decode(bytes, wireformat) {
  const decoded = mls.decodeMlsMessage(bytes, 0);
  if (!decoded) throw new Error("not an MLSMessage");
  if (wireformat && decoded[0].wireformat !== wireformat) {
    throw new Error(`${decoded[0].wireformat} where ${wireformat} was expected`);
  }
  return decoded[0];
}

export const encode = (wireformat, content) => mls.encodeMlsMessage({ version, wireformat, ...content });

/** The GroupInfo others need for an external commit, as bytes. */
export async function groupInfoOf(state) {
  const groupInfo = await mls.createGroupInfoWithExternalPubAndRatchetTree(state, [], suite);
  return encode("mls_group_info", { groupInfo });
}

export const exportedSecret = (state) =>
  mls.mlsExporter(state.keySchedule.exporterSecret, "catbird integration test", utf8("all agree"), 32, suite);

/** length as u32, the message, zeros up to the bucket: what sendMessage takes. */
export function framed(message) {
  const wanted = message.length + 4;
  const size = buckets.find((bucket) => bucket >= wanted) ?? Math.ceil(wanted / 8192) * 8192;
  const frame = Buffer.alloc(size);
  frame.writeUInt32BE(message.length, 0);
  frame.set(message, 4);
  return frame;
}

export function unframed(frame) {
  const bytes = Buffer.from(frame);
  const length = bytes.readUInt32BE(0);
  if (length === 0 || length > bytes.length - 4) throw new Error("not a padded frame");
  return new Uint8Array(bytes.subarray(4, 4 + length));
}
