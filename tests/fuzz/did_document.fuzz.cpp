// SPDX-License-Identifier: MIT
#include "auth/did_document.hpp"

#include "auth/did.hpp"
#include "auth/multikey.hpp"
#include "base/check.hpp"
#include "fuzz/allocation.hpp"

#include <cstddef>
#include <cstdint>

/// A document, a multikey and a DID from a directory or a caller that means harm.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace catbird;
  const std::string_view input = text_of({data, size});
  const auto key = auth::key_of_document(input, "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa");
  CATBIRD_CHECK(!key || *key != nullptr);
  if (key) CATBIRD_CHECK(!(*key)->verify("text", Bytes(64, 1)));

  const auto encoded = auth::from_multikey(input);
  CATBIRD_CHECK(!encoded || encoded->point.size() == 33);

  // Again, now that OpenSSL has set up what it keeps for good.
  {
    const testing::HeapWatch heap;
    (void)auth::key_of_document(input, "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa");
    (void)auth::from_multikey(input);
    heap.check_at_most(16 * size + 16 * 1024);
  }

  const auto target = auth::did_target(input, {"https://plc.directory", false, {}});
  if (!target) return 0;
  CATBIRD_CHECK(target->url.starts_with("https://"));
  CATBIRD_CHECK(target->url.find_first_of("@?#\\ \r\n") == std::string::npos);
  CATBIRD_CHECK(auth::parse_issuer(input).has_value());
  return 0;
}
