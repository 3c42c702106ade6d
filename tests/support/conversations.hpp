// SPDX-License-Identifier: MIT
#pragma once

#include "core/conversation.hpp"

#include <string>
#include <utility>
#include <vector>

// Commands as xrpc/ would build them, for tests of core and actors. One group, "group", with alice
// as its creator unless a test says otherwise.

namespace catbird::test {

inline const core::Did alice{"did:plc:alice"};
inline const core::Did bob{"did:plc:bob"};
inline const core::Did carol{"did:plc:carol"};
inline const core::Did dave{"did:plc:dave"};
inline constexpr Timestamp start{1'700'000'000'000};  // on a bucket of row times
inline constexpr Timestamp later{1'700'000'060'000};

inline Bytes bytes(const std::string& text) { return {text.begin(), text.end()}; }
inline Blob blob(const std::string& text) { return make_blob(bytes(text)); }
inline const Bytes& group() {
  static const Bytes id = bytes("group");
  return id;
}
inline core::ConvoId convo_id() { return core::ConvoId(to_hex(group())); }

inline core::SenderTag tag_of(const core::Did& user) {
  core::SenderTag tag{};
  for (std::size_t i = 0; i < user.value.size(); ++i) {
    tag[i % tag.size()] = static_cast<std::uint8_t>(tag[i % tag.size()] * 31 + user.value[i]);
  }
  return tag;
}

template <class What>
core::Command command(const core::Did& caller, What what) {
  core::Command out;
  out.caller.user = caller;
  out.tag = tag_of(caller);
  out.what = std::move(what);
  return out;
}

/// The same command under an idempotency key; `payload` stands for the hash of the body.
inline core::Command keyed(core::Command command, const std::string& key,
                           std::uint8_t payload = 1) {
  core::Hash hash{};
  hash.fill(payload);
  command.key = core::RequestKey{"method", key, hash};
  return command;
}

inline core::CommitPart commit_part(std::uint64_t base, const std::string& text = "commit") {
  return {blob(text + " on " + std::to_string(base)), group(), core::Epoch(base)};
}
inline core::GroupParts with_commit(std::uint64_t base, const std::string& text = "commit") {
  core::GroupParts parts;
  parts.commit = commit_part(base, text);
  return parts;
}
inline core::GroupInfoPart info_part(std::uint64_t epoch) {
  return {blob("info of " + std::to_string(epoch)), group(), core::Epoch(epoch)};
}

inline core::Command create(std::vector<core::Did> others, const core::Did& caller = alice,
                            std::uint64_t epoch = 0) {
  core::CreateConvo what;
  what.group_id = group();
  what.suite = 1;
  what.name = "name";
  what.initial_members = std::move(others);
  what.epoch = core::Epoch(epoch);
  return command(caller, std::move(what));
}
inline core::Command message(const core::Did& caller, const std::string& id,
                             std::uint64_t epoch = 0) {
  return command(caller, core::SendMessage{.id = core::MsgId(id),
                                           .kind = core::Kind::app,
                                           .group_id = group(),
                                           .epoch = core::Epoch(epoch),
                                           .bytes = blob("ciphertext " + id)});
}
inline core::Command add(const core::Did& caller, std::vector<core::Did> users,
                         core::GroupParts parts = {}) {
  return command(caller, core::AddMembers{std::move(users), std::move(parts)});
}
inline core::Command take_out(const core::Did& caller, std::vector<core::Did> users,
                              core::GroupParts parts = {}) {
  return command(caller, core::RemoveMembers{std::move(users), std::move(parts)});
}
inline core::Command leave(const core::Did& caller, const core::Did& target,
                           core::GroupParts parts = {}) {
  return command(caller, core::LeaveConvo{target, std::move(parts)});
}
/// A commit that changes no roster: a key update.
inline core::Command commit(const core::Did& caller, std::uint64_t base,
                            const std::string& text = "commit") {
  return add(caller, {}, with_commit(base, text));
}
inline core::Command mark_read(const core::Did& caller, std::uint64_t seq) {
  return command(caller, core::MarkRead{core::Seq(seq)});
}

}  // namespace catbird::test
