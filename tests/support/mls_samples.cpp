// SPDX-License-Identifier: MIT
#include "support/mls_samples.hpp"

namespace catbird::testing {
namespace {

template <class T>
std::optional<Bytes> encoded(const Result<T>& parsed) {
  if (!parsed) return std::nullopt;
  return encode(*parsed);
}

/// The proposal types that no maker writes, with GREASE where a list is open.
std::vector<Sample> bare_proposals() {
  const auto psk = Writer().u16(4).u8(2).u8(3).opaque(view_of("group")).u64(7).opaque({}).take();
  const auto external_psk = Writer().u16(4).u8(1).opaque(view_of("id")).opaque({}).take();
  const auto extension = Writer().u16(0x1a1a).opaque(view_of("x")).take();
  const auto reinit =
      Writer().u16(5).opaque(view_of("next")).u16(1).u16(0x2a2a).opaque(extension).take();
  return {{"external psk proposal", Kind::proposal, external_psk},
          {"resumption psk proposal", Kind::proposal, psk},
          {"reinit proposal", Kind::proposal, reinit},
          {"context proposal", Kind::proposal, Writer().u16(7).opaque(extension).take()},
          {"self remove proposal", Kind::proposal, Writer().u16(0x000a).take()}};
}

}  // namespace

std::vector<Sample> made_samples() {
  const Signer ed25519(1, "alice");
  const Signer p256(2, "bob");
  const GroupAt at{.group_id = Bytes(16, 0xab), .epoch = 3};
  const auto alice = make_key_package(ed25519, "did:plc:alice");
  const auto bob = make_key_package(p256, "did:plc:bob#phone", {.last_resort = true});
  const CommitSpec commit{
      .at = at, .adds = {alice.bare, bob.bare}, .removes = {1, 2}, .references = {Bytes(32, 1)}};
  const ExternalCommitSpec external{.at = at, .identity = "did:plc:alice", .removes = 4};
  const std::string names[] = {"a", "b", "c", "d", "e"};
  const auto tree = make_ratchet_tree(ed25519, names);
  const auto info = make_group_info(ed25519, {.at = at, .ratchet_tree = tree});
  const auto welcome = make_welcome(1, std::vector{alice.ref, bob.ref});
  const auto header = std::ptrdiff_t{4};

  std::vector<Sample> samples{
      {"key package message", Kind::message, alice.message},
      {"bare key package", Kind::key_package, bob.bare},
      {"public commit", Kind::message, make_public_commit(ed25519, commit)},
      {"external commit", Kind::message, make_external_commit(p256, external)},
      {"public proposal", Kind::message, make_public_proposal(ed25519, {.at = at, .removes = 2})},
      {"private message", Kind::message,
       make_private_message(at, mls::ContentType::application, Bytes(100, 9))},
      {"welcome message", Kind::message, welcome},
      {"bare welcome", Kind::welcome, Bytes(welcome.begin() + header, welcome.end())},
      {"group info message", Kind::message, info},
      {"bare group info", Kind::group_info, Bytes(info.begin() + header, info.end())},
      {"ratchet tree", Kind::ratchet_tree, tree},
      {"empty commit", Kind::commit, Bytes{0, 0}}};
  for (auto& proposal : bare_proposals()) samples.push_back(std::move(proposal));
  return samples;
}

std::optional<Bytes> reencoded(Kind kind, ByteView bytes) {
  switch (kind) {
    case Kind::message:
      return encoded(mls::parse_message(bytes));
    case Kind::key_package:
      return encoded(mls::parse_key_package(bytes));
    case Kind::welcome:
      return encoded(mls::parse_welcome(bytes));
    case Kind::group_info:
      return encoded(mls::parse_group_info(bytes));
    case Kind::ratchet_tree:
      return encoded(mls::parse_ratchet_tree(bytes));
    case Kind::commit:
      return encoded(mls::parse_commit(bytes));
    case Kind::proposal:
      return encoded(mls::parse_proposal(bytes));
  }
  return std::nullopt;
}

Bytes resigned(const Signer& signer, mls::KeyPackage package) {
  // With an empty signature an encoding is what is to be signed and one more octet.
  package.leaf.signature = {};
  auto leaf_tbs = encode(package.leaf);
  leaf_tbs.pop_back();
  const auto leaf_signature = signer.sign("LeafNodeTBS", leaf_tbs);
  package.leaf.signature = leaf_signature;

  package.signature = {};
  auto tbs = encode(package);
  tbs.pop_back();
  const auto signature = signer.sign("KeyPackageTBS", tbs);
  package.signature = signature;
  return encode(package);
}

}  // namespace catbird::testing
