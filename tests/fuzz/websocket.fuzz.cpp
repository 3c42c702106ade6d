// SPDX-License-Identifier: MIT
#include "base/bytes.hpp"
#include "base/check.hpp"
#include "http/wire/websocket_frames.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

using namespace catbird;
using namespace catbird::http;

namespace {

constexpr std::size_t message_max = 300;

ClientFrames::Heard hear(std::string_view bytes, std::size_t step) {
  ClientFrames frames(message_max);
  ClientFrames::Heard all;
  while (!bytes.empty()) {
    auto heard = frames.feed(bytes.substr(0, step));
    bytes.remove_prefix(std::min(step, bytes.size()));
    // Nothing is heard once it is over.
    if (all.close || all.violation) {
      CATBIRD_CHECK(!heard.ping && !heard.close && !heard.violation);
    }
    if (heard.ping) all.ping = std::move(heard.ping);
    if (heard.close) all.close = heard.close;
    if (heard.violation) all.violation = heard.violation;
  }
  return all;
}

}  // namespace

/// How the network cuts frames must not change what they say.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = text_of(ByteView(data, size));
  const auto whole = hear(bytes, size + 1);
  CATBIRD_CHECK(!whole.ping || whole.ping->size() <= 125);
  for (const std::size_t step : {std::size_t{1}, std::size_t{3}}) {
    const auto cut = hear(bytes, step);
    CATBIRD_CHECK(cut.ping == whole.ping && cut.close == whole.close &&
                  cut.violation == whole.violation);
  }
  return 0;
}
