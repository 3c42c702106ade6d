// SPDX-License-Identifier: MIT
#include "xrpc/streams/cursor.hpp"

#include <charconv>

namespace catbird::xrpc {

namespace {
// Fixed width, so that cursors of one incarnation also compare as text.
constexpr std::size_t position_digits = 16;
constexpr std::size_t incarnation_characters_max = 64;
}  // namespace

std::string encode_cursor(const StreamCursor& cursor) {
  auto digits = std::to_string(cursor.position);
  if (digits.size() < position_digits) digits.insert(0, position_digits - digits.size(), '0');
  return cursor.incarnation + "-" + digits;
}

Result<StreamCursor> decode_cursor(std::string_view text) {
  const auto dash = text.rfind('-');
  if (dash == std::string_view::npos || dash == 0 || dash > incarnation_characters_max) {
    return fail(Errc::invalid_cursor);
  }
  const std::string digits(text.substr(dash + 1));
  StreamCursor cursor{std::string(text.substr(0, dash)), 0};
  const auto* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, cursor.position);
  if (error != std::errc() || stop != end || digits.size() < position_digits) {
    return fail(Errc::invalid_cursor);
  }
  // Only a position that needs them has more digits: one place, one text.
  if (digits.size() > position_digits && digits.front() == '0') return fail(Errc::invalid_cursor);
  return cursor;
}

}  // namespace catbird::xrpc
