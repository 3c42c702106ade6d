// SPDX-License-Identifier: MIT
#include "mls/framing.hpp"

#include "mls/reader.hpp"

namespace catbird::mls {

namespace {

constexpr std::uint16_t mls10 = 1;
constexpr std::uint16_t public_message = 1;
constexpr std::uint16_t private_message = 2;
constexpr std::size_t frame_length_bytes = 4;

std::optional<FramingHead> read_bare(ByteView beginning) {
  Reader in(beginning);
  const auto version = in.u16("version");
  const auto format = in.u16("wire_format");
  FramingHead head;
  head.group_id = in.opaque("group_id");
  head.epoch = in.u64("epoch");
  const bool known = format == public_message || format == private_message;
  if (in.failed() || version != mls10 || !known) return std::nullopt;
  return head;
}

}  // namespace

std::optional<FramingHead> read_framing_head(ByteView beginning) {
  if (auto head = read_bare(beginning)) return head;
  if (beginning.size() < frame_length_bytes) return std::nullopt;
  return read_bare(beginning.subspan(frame_length_bytes));
}

}  // namespace catbird::mls
