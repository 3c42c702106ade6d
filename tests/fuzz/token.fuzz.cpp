// SPDX-License-Identifier: MIT
#include "auth/jwt.hpp"
#include "base/bytes.hpp"
#include "base/check.hpp"
#include "fuzz/allocation.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

namespace {

using namespace catbird;

/// A token that is read must be the only spelling of its parts, and hold what decisions need.
void check(const std::string& text) {
  {
    // A JSON document costs its text several times over; so much is the parser's least.
    const testing::HeapWatch heap;
    (void)auth::parse_token(text);
    heap.check_at_most(16 * text.size() + 16 * 1024);
  }
  const auto token = auth::parse_token(text);
  if (!token) {
    CATBIRD_CHECK(token.error().code == Errc::unauthenticated);
    return;
  }
  CATBIRD_CHECK(std::string(token->signed_text) + "." + to_base64url(token->signature) == text);
  CATBIRD_CHECK(!token->iss.empty() && !token->aud.empty() && !token->lxm.empty());
  CATBIRD_CHECK(!token->jti.empty() && token->exp >= 0);
}

}  // namespace

/// The input as a token; and, split at its first line end, as the JSON of header and claims, which
/// base64 would else hide from the fuzzer.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input = text_of({data, size});
  check(std::string(input));
  const auto line_end = input.find('\n');
  if (line_end == std::string_view::npos) return 0;
  check(to_base64url(view_of(input.substr(0, line_end))) + "." +
        to_base64url(view_of(input.substr(line_end + 1))) + ".AAAA");
  return 0;
}
