// SPDX-License-Identifier: MIT
// ts-mls 1.6.4 departs from RFC 9420 in three places this test walks through. They are corrected here
// while the module is loaded: the installed files stay as they are, and a version whose text is
// another fails at once instead of being half corrected.
//
// 1. external_pub (section 12.4.3.2) is `HPKEPublicKey external_pub`, an opaque<V>; ts-mls writes and
//    reads the key without its length. Other implementations, and our server, read the RFC's form.
// 2. Ratchet tree validation (section 7.9): for each unmerged leaf of a parent node, every non-blank
//    node *between* that leaf and the parent must list the leaf too. ts-mls demands that all nodes up
//    to the root have the same list, and so refuses valid trees on join.
//
// 3. A P-256 signature key (section 5.1.1) is an uncompressed point; ts-mls writes a compressed one.
//
// A fourth fault is only kept clear of: a removed member fails on a commit that also reuses its leaf.
// None of the tests' commits removes one member and adds another.
import { registerHooks } from "node:module";

const corrections = new Map([
  ["createCommit.js", [
    {
      from: '{ extensionType: "external_pub", extensionData: externalPub }',
      to: '{ extensionType: "external_pub", extensionData: Uint8Array.of(externalPub.length, ...externalPub) }',
      times: 2,
    },
    {
      from: "exportSecret(externalPub.extensionData, cs)",
      to: "exportSecret(externalPub.extensionData.subarray(1), cs)",
      times: 1,
    },
  ]],
  ["clientState.js", [
    {
      from: "if (!arraysEqual(dpNode.parent.unmergedLeaves, n.parent.unmergedLeaves))",
      to: "if (dp.indexOf(parentIdx) < dp.indexOf(i) && !dpNode.parent.unmergedLeaves.includes(unmergedLeaf))",
      times: 1,
    },
  ]],
  ["makeNobleSignatureImpl.js", [
    { from: "p256.getPublicKey(signKey)", to: "p256.getPublicKey(signKey, false)", times: 1 },
  ]],
]);

function corrected(source, changes, name) {
  for (const { from, to, times } of changes) {
    const parts = source.split(from);
    if (parts.length !== times + 1) {
      throw new Error(`ts-mls ${name}: expected ${times} times, found ${parts.length - 1}: ${from}`);
    }
    source = parts.join(to);
  }
  return source;
}

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    const name = /\/ts-mls\/dist\/src\/(?:crypto\/implementation\/default\/)?([^/]+)$/.exec(url)?.[1];
    const changes = corrections.get(name);
    if (!changes) return loaded;
    return { ...loaded, source: corrected(loaded.source.toString(), changes, name) };
  },
});
