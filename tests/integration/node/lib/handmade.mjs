// SPDX-License-Identifier: MIT
// MLS messages by hand (RFC 9420, sections 6 and 12): right in the public framing, which is all that a
// server reads, at any group id and epoch. Members could not process them; the real-client test is
// for that.
import { randomBytes } from "node:crypto";
import { encode, groupInfoOf, mls, newKeyPackage, newSignatureKey, suite, utf8 } from "./mls.mjs";
import { opaque, privateMessage } from "./framing.mjs";

const contentTypes = { application: 1, proposal: 2, commit: 3 };
const headerBytes = 4;  // version and wire format of an MLSMessage

const u16 = (value) => Buffer.of(value >> 8, value & 0xff);
const u32 = (value) => Buffer.concat([u16(value >>> 16), u16(value & 0xffff)]);
const u64 = (value) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
};

/** The padded frame of an application message. */
export const applicationFrame = ({ groupId, epoch, bytes = 60 }) =>
  privateMessage({ groupId, epoch: BigInt(epoch), body: randomBytes(bytes) });

/** A PrivateMessage as it is, not padded; `bytes` is the size of its ciphertext. */
export function bareMessage({ groupId, epoch, type = "application", bytes = 60 }) {
  return Buffer.concat([
    u16(1), u16(2), opaque(groupId), u64(epoch), Buffer.of(contentTypes[type]),
    opaque(Buffer.alloc(0)), opaque(randomBytes(28)), opaque(randomBytes(bytes)),
  ]);
}

export const privateCommit = (where) => bareMessage({ ...where, type: "commit" });

const proposalOf = {
  add: (keyPackage) => Buffer.concat([u16(1), keyPackage.subarray(headerBytes)]),
  remove: (leaf) => Buffer.concat([u16(3), u32(leaf)]),
};

/** A commit as PublicMessage. `adds` are key packages as MLSMessage, `removes` leaf indices. */
export function publicCommit({ groupId, epoch, adds = [], removes = [], references = 0 }) {
  const inline = [...adds.map(proposalOf.add), ...removes.map(proposalOf.remove)];
  const items = [
    ...inline.map((proposal) => Buffer.concat([Buffer.of(1), proposal])),
    ...Array.from({ length: references }, () => Buffer.concat([Buffer.of(2), opaque(randomBytes(32))])),
  ];
  const sender = Buffer.concat([Buffer.of(1), u32(0)]);  // a member
  return Buffer.concat([
    u16(1), u16(1), opaque(groupId), u64(epoch), sender, opaque(Buffer.alloc(0)),
    Buffer.of(contentTypes.commit), opaque(Buffer.concat(items)), Buffer.of(0),
    opaque(randomBytes(64)), opaque(randomBytes(32)), opaque(randomBytes(32)),
  ]);
}

/** A Welcome for the given KeyPackageRefs (hexadecimal); `bytes` is the size of its GroupInfo. */
export function welcomeFor(refs, bytes = 200) {
  const secrets = refs.map((ref) => Buffer.concat([
    opaque(Buffer.from(ref, "hex")), opaque(randomBytes(32)), opaque(randomBytes(60))]));
  return Buffer.concat([u16(1), u16(3), u16(1), opaque(Buffer.concat(secrets)), opaque(randomBytes(bytes))]);
}

let onlyGroup;
async function groupAt({ groupId, epoch }) {
  onlyGroup ??= (async () => {
    const own = await newKeyPackage("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa", await newSignatureKey());
    return mls.createGroup(new Uint8Array(16), own.publicPackage, own.privatePackage, [], suite);
  })();
  const group = await onlyGroup;
  return { ...group, groupContext: { ...group.groupContext, groupId: Uint8Array.from(groupId), epoch: BigInt(epoch) } };
}

/** A GroupInfo of that epoch, signed, with tree and external key. */
export const groupInfoAt = async (where) => Buffer.from(await groupInfoOf(await groupAt(where)));

/** An external commit on that epoch by someone with this credential. */
export async function externalCommit({ groupId, epoch, identity }) {
  const info = mls.decodeMlsMessage(await groupInfoAt({ groupId, epoch }), 0)[0].groupInfo;
  const fresh = await newKeyPackage(identity, await newSignatureKey());
  const joined = await mls.joinGroupExternal(info, fresh.publicPackage, fresh.privatePackage, false, suite);
  return Buffer.from(encode("mls_public_message", { publicMessage: joined.publicMessage }));
}

const daySeconds = 86_400;
/** A device's signature key: its packages are all signed with it. */
export const newSigner = () => newSignatureKey();

/** One key package; what is not said is as a normal client makes it. */
export async function keyPackage({ identity, lastResort = false, from = -3600, until = 30 * daySeconds, cipherSuite = suite, signer }) {
  const { makeKeyPackageRef } = await import("ts-mls/keyPackage.js");
  const now = Math.floor(Date.now() / 1000);
  const made = await mls.generateKeyPackageWithKey(
    { credentialType: "basic", identity: utf8(identity) }, mls.defaultCapabilities(),
    { notBefore: BigInt(now + from), notAfter: BigInt(now + until) },
    lastResort ? [{ extensionType: 10, extensionData: new Uint8Array() }] : [],
    signer ?? await newSignatureKey(cipherSuite), cipherSuite);
  const bytes = Buffer.from(encode("mls_key_package", { keyPackage: made.publicPackage }));
  const ref = Buffer.from(await makeKeyPackageRef(made.publicPackage, cipherSuite.hash)).toString("hex");
  return { bytes, ref };
}
