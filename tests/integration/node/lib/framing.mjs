// SPDX-License-Identifier: MIT
// A PrivateMessage by hand (RFC 9420, section 6.3): right in its public framing, random inside. The
// server must order it like any other; making real ones takes too long for a load test.

const buckets = [512, 1024, 2048, 4096, 8192];
const senderDataBytes = 28;  // As long as the real thing: 12 bytes and an AEAD tag.

/** opaque<V>: the length in 1, 2 or 4 bytes, always the shortest. */
export function opaque(bytes) {
  if (bytes.length < 64) return Buffer.concat([Buffer.of(bytes.length), bytes]);
  const length = Buffer.alloc(bytes.length < 16384 ? 2 : 4);
  if (length.length === 2) length.writeUInt16BE(0x4000 | bytes.length);
  else length.writeUInt32BE((0x80000000 | bytes.length) >>> 0);
  return Buffer.concat([length, bytes]);
}

/** The padded frame that sendMessage takes. */
export function privateMessage({ groupId, epoch, body }) {
  const epochBytes = Buffer.alloc(8);
  epochBytes.writeBigUInt64BE(epoch);
  const message = Buffer.concat([
    Buffer.of(0, 1),                           // version mls10
    Buffer.of(0, 2),                           // wire_format mls_private_message
    opaque(groupId), epochBytes,
    Buffer.of(1),                              // content_type application
    opaque(Buffer.alloc(0)),                   // authenticated_data
    opaque(crypto.getRandomValues(Buffer.alloc(senderDataBytes))),
    opaque(body),                              // ciphertext
  ]);
  const size = buckets.find((bucket) => bucket >= message.length + 4) ?? Math.ceil((message.length + 4) / 8192) * 8192;
  const frame = Buffer.alloc(size);
  frame.writeUInt32BE(message.length);
  message.copy(frame, 4);
  return frame;
}
