// SPDX-License-Identifier: MIT
#include "base/bytes.hpp"
#include "base/check.hpp"
#include "http/wire/request_parser.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

using namespace catbird;
using namespace catbird::http;

namespace {

constexpr RequestParser::Limits limits{1024, 4096};

struct Outcome {
  RequestParser::State state = RequestParser::State::need_more;
  int status = 0;
  Request request;
  std::string rest;
};

/// Feeds the bytes as a connection does: at most `step` more at a time, the unread kept in front.
Outcome parse(std::string_view bytes, std::size_t step) {
  RequestParser parser(limits);
  Outcome outcome;
  std::string held;
  while (outcome.state == RequestParser::State::need_more && !bytes.empty()) {
    held += bytes.substr(0, step);
    bytes.remove_prefix(std::min(step, bytes.size()));
    std::string_view view = held;
    outcome.state = parser.feed(view);
    held = std::string(view);
    CATBIRD_CHECK(parser.body_bytes() <= limits.body_bytes);
  }
  if (outcome.state == RequestParser::State::failed) outcome.status = parser.failure().status;
  if (outcome.state != RequestParser::State::complete) return outcome;
  outcome.request = parser.take();
  outcome.rest = held + std::string(bytes);
  CATBIRD_CHECK(outcome.request.body.capacity() >= outcome.request.body.size() + 64);
  return outcome;
}

}  // namespace

/// How the network cuts a request must not change what it means (request smuggling).
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto const bytes = text_of(ByteView(data, size));
  auto const whole = parse(bytes, size + 1);
  for (std::size_t step : {std::size_t{1}, std::size_t{7}}) {
    auto const cut = parse(bytes, step);
    // Only where the header limit strikes may depend on the pieces.
    if (whole.status == 431 || cut.status == 431) continue;
    // A wrong byte may be seen as soon as it is here, or only with the rest of its header.
    bool const undecided = cut.state == RequestParser::State::need_more;
    if (undecided && whole.state == RequestParser::State::failed) continue;
    CATBIRD_CHECK(cut.state == whole.state && cut.status == whole.status);
    CATBIRD_CHECK(cut.rest == whole.rest);
    CATBIRD_CHECK(cut.request.path == whole.request.path);
    CATBIRD_CHECK(cut.request.body == whole.request.body);
    CATBIRD_CHECK(cut.request.authorization == whole.request.authorization);
  }
  return 0;
}
