// SPDX-License-Identifier: MIT
#include "mls/parse.hpp"

#include "mls/decode.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>

namespace catbird::mls {
namespace {

constexpr std::uint16_t version_mls10 = 1;
constexpr std::size_t frame_length_bytes = 4;
/// version and wire_format, what every MLSMessage begins with.
constexpr std::size_t message_header_bytes = 4;

/// One whole value, without trailing bytes.
template <class T>
Result<T> parse_whole(ByteView input, const char* name) {
  Result<T> out(std::in_place);
  Reader in(input);
  decode(in, *out);
  in.finish(name);
  if (in.failed()) out = in.failure();
  return out;
}

bool begins_message(ByteView input) {
  Reader in(input);
  const bool known_version = in.u16("version") == version_mls10;
  const auto format = in.u16("wire_format");
  return !in.failed() && known_version &&
         format >= static_cast<std::uint16_t>(WireFormat::public_message) &&
         format <= static_cast<std::uint16_t>(WireFormat::key_package);
}

/// `input` as an MLSMessage holding a T, or else as a bare T. The wrapped form goes first: a bare
/// value that is also a whole MLSMessage would have to have an empty key or group id.
template <class T>
Result<T> read_either(ByteView input, WireFormat format, const char* name) {
  Reader in(input);
  const bool known_version = in.u16("version") == version_mls10;
  const bool wrapped = WireFormat{in.u16("wire_format")} == format && known_version;
  if (!wrapped) return parse_whole<T>(input, name);

  auto inner = parse_whole<T>(input.subspan(message_header_bytes), name);
  if (inner) return inner;
  auto bare = parse_whole<T>(input, name);
  return bare ? bare : inner;
}

/// The MLSMessage of a padded frame, or nothing if `input` is no such frame.
std::optional<ByteView> framed_message(ByteView input) {
  Reader in(input);
  const std::size_t length = in.u32("padded frame");
  if (in.failed()) return std::nullopt;
  const auto rest = input.subspan(frame_length_bytes);
  if (length > rest.size() || !begins_message(rest.first(length))) return std::nullopt;
  const auto padding = rest.subspan(length);
  const bool zeros = std::ranges::all_of(padding, [](std::uint8_t byte) { return byte == 0; });
  return zeros ? std::optional(rest.first(length)) : std::nullopt;
}

}  // namespace

Result<MlsMessage> parse_message(ByteView input) {
  return parse_whole<MlsMessage>(input, "mls_message");
}
Result<KeyPackage> parse_key_package(ByteView input) {
  return parse_whole<KeyPackage>(input, "key_package");
}
Result<Welcome> parse_welcome(ByteView input) { return parse_whole<Welcome>(input, "welcome"); }
Result<GroupInfo> parse_group_info(ByteView input) {
  return parse_whole<GroupInfo>(input, "group_info");
}
Result<RatchetTree> parse_ratchet_tree(ByteView input) {
  return parse_whole<RatchetTree>(input, "ratchet_tree");
}
Result<Commit> parse_commit(ByteView input) { return parse_whole<Commit>(input, "commit"); }
Result<Proposal> parse_proposal(ByteView input) { return parse_whole<Proposal>(input, "proposal"); }

Result<KeyPackage> read_key_package(ByteView input) {
  return read_either<KeyPackage>(input, WireFormat::key_package, "key_package");
}
Result<Welcome> read_welcome(ByteView input) {
  return read_either<Welcome>(input, WireFormat::welcome, "welcome");
}
Result<GroupInfo> read_group_info(ByteView input) {
  return read_either<GroupInfo>(input, WireFormat::group_info, "group_info");
}

Result<ByteView> strip_padding(ByteView input) {
  const auto framed = framed_message(input);
  const bool bare = begins_message(input);
  // A frame length from 65537 to 65541 looks like the header of an MLSMessage: the strict reader of
  // the whole decides, because no message both begins with a second header and reads to its end.
  if (framed && bare) return parse_message(input) ? input : *framed;
  if (framed) return *framed;
  if (bare) return input;
  return fail(Errc::malformed_mls, "neither a padded frame nor an MLSMessage");
}

}  // namespace catbird::mls
