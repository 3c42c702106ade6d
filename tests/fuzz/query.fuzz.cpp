// SPDX-License-Identifier: MIT
#include "base/bytes.hpp"
#include "base/check.hpp"
#include "fuzz/allocation.hpp"
#include "xrpc/input.hpp"
#include "xrpc/shapes.hpp"
#include "xrpc/streams/cursor.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

using namespace catbird;
using namespace catbird::xrpc;

namespace {

void check_cursor(std::string_view text) {
  const auto cursor = decode_cursor(text);
  if (!cursor) {
    CATBIRD_CHECK(cursor.error().code == Errc::invalid_cursor);
    return;
  }
  // No text but encode_cursor's own is a cursor.
  CATBIRD_CHECK(encode_cursor(*cursor) == text);
}

void check_made_cursor(std::string_view text) {
  StreamCursor cursor{"01JD-" + to_hex(view_of(text.substr(0, 16))), 0};
  for (char c : text.substr(0, 8)) cursor.position = cursor.position * 256 + (c & 0xFF);
  const auto again = decode_cursor(encode_cursor(cursor));
  CATBIRD_CHECK(again && again->incarnation == cursor.incarnation);
  CATBIRD_CHECK(again->position == cursor.position);
}

std::string escaped(std::string_view text) {
  std::string out;
  for (char c : text) out += "%" + to_hex(view_of(std::string_view(&c, 1)));
  return out;
}

void check_query(std::string_view raw) {
  const auto query = Query::parse(raw);
  if (!query) {
    CATBIRD_CHECK(query.error().code == Errc::invalid_request);
    return;
  }
  for (std::string_view name : {"convoId", "limit", "dids", "cursor", ""}) {
    const auto text = query->text(name);
    const auto all = query->list(name);
    CATBIRD_CHECK(!text || std::ranges::find(all, *text) != all.end());
    // Percent-encoded again, each value is read as it was.
    for (const auto& value : all) {
      const auto again = Query::parse("x=" + escaped(value));
      CATBIRD_CHECK(again && again->text("x") == value);
    }
  }
  const auto limit = query->integer("limit", 1, 100);
  if (limit && *limit) CATBIRD_CHECK(**limit >= 1 && **limit <= 100);
  if (const auto id = convo_id_of(*query)) {
    const auto again = convo_id(id->value);
    CATBIRD_CHECK(again && *again == *id);  // folding is done once
  }
}

void check_address(std::string_view text) {
  const auto one = address(text);
  if (!one) return;
  auto written = one->user.value;
  if (one->device) written += "#" + one->device->value;
  CATBIRD_CHECK(written == text);
}

}  // namespace

/// Cursors, query strings, ids and addresses of a request's first line.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = text_of(ByteView(data, size));
  {
    const catbird::testing::HeapWatch heap;
    (void)Query::parse(text);
    (void)decode_cursor(text);
    // A pair is two strings, and at most every second octet ends one; the list doubles as it grows.
    heap.check_at_most(1024 + 2 * size + std::min<std::size_t>(size, 1024) * 3 * 2 * 64);
  }
  check_cursor(text);
  check_made_cursor(text);
  check_query(text);
  check_address(text);
  return 0;
}
