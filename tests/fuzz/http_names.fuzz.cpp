// SPDX-License-Identifier: MIT
#include "base/bytes.hpp"
#include "base/check.hpp"
#include "http/address.hpp"
#include "http/url.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

using namespace catbird;
using namespace catbird::http;

namespace {

void check_url(std::string_view text) {
  for (Reach reach : {Reach::public_only, Reach::operator_url, Reach::development}) {
    auto url = parse_url(text, reach);
    if (!url) continue;
    CATBIRD_CHECK(!url->host.empty() && url->target.starts_with('/') && url->port != 0);
    // What goes into the request can neither end its line nor name another host.
    auto is_plain = [](char c) { return c > 0x20 && c < 0x7F; };
    CATBIRD_CHECK(std::ranges::all_of(url->target, is_plain));
    CATBIRD_CHECK(std::ranges::all_of(url->authority(), is_plain));
    CATBIRD_CHECK(url->authority().find_first_of("@/?#\\") == std::string::npos);
    // Written again it means the same.
    auto const written = (url->tls ? "https://" : "http://") + url->authority() + url->target;
    auto again = parse_url(written, reach);
    CATBIRD_CHECK(again && again->host == url->host && again->port == url->port &&
                  again->target == url->target && again->literal == url->literal);
    if (reach != Reach::public_only) continue;
    CATBIRD_CHECK(url->tls && url->port == 443);
    CATBIRD_CHECK(!url->literal || is_public(*url->literal));
  }
}

void check_addresses(std::string_view text) {
  if (auto address = parse_ip(text)) {
    CATBIRD_CHECK(parse_ip(address->text()) == address);
    CATBIRD_CHECK(!address->is_loopback() || !is_public(*address));
  }
  std::vector<std::string> const blocks{std::string(text)};
  if (auto set = CidrSet::parse(blocks)) {
    auto network = parse_ip(text.substr(0, text.find('/')));
    CATBIRD_CHECK(network && set->contains(*network));
  }
  auto const proxy = IpAddress::v4({10, 0, 0, 1});
  std::vector<std::string> const ten{"10.0.0.0/8"};
  auto const trusted = *CidrSet::parse(ten);
  CATBIRD_CHECK(client_address(CidrSet{}, proxy, text) == proxy);
  // A client cannot change who the last trusted proxy saw by what it sends itself.
  auto const seen = client_address(trusted, proxy, std::string(text) + ",9.9.9.9");
  CATBIRD_CHECK(seen.text() == "9.9.9.9");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto const text = text_of(ByteView(data, size));
  check_url(text);
  check_addresses(text);
  return 0;
}
