// SPDX-License-Identifier: MIT
#pragma once

#include "core/types.hpp"

#include <cstddef>
#include <string>

// What users and conversations of the simulator are called, both ways.

namespace catbird::sim {

inline constexpr std::size_t nobody = SIZE_MAX;

// Two digits, so that names sort as numbers do.
inline core::Did user_did(std::size_t user) {
  return core::Did("did:plc:user" + std::to_string(user + 10));
}
inline std::size_t user_of(const core::Did& did) {
  constexpr std::size_t prefix = 12;
  return std::stoul(did.value.substr(prefix)) - 10;
}
inline Bytes group_of(std::size_t convo) { return Bytes(8, static_cast<std::uint8_t>(convo + 1)); }
inline core::ConvoId convo_name(std::size_t convo) {
  return core::ConvoId(to_hex(group_of(convo)));
}
inline std::size_t convo_of(const core::ConvoId& id) {
  return static_cast<std::size_t>(std::stoi(id.value.substr(0, 2), nullptr, 16)) - 1;
}
inline core::SenderTag tag_of(std::size_t user) {
  core::SenderTag tag{};
  tag.fill(static_cast<std::uint8_t>(user + 1));
  return tag;
}
inline Blob blob_of(const std::string& text) {
  const auto view = view_of(text);
  return make_blob(Bytes(view.begin(), view.end()));
}
inline Bytes bytes_of(const std::string& text) {
  const auto view = view_of(text);
  return {view.begin(), view.end()};
}
inline std::string text_of(const Blob& blob) { return std::string(catbird::text_of(*blob)); }
inline std::string text_of(const Bytes& bytes) {
  return std::string(catbird::text_of(ByteView(bytes)));
}

}  // namespace catbird::sim
