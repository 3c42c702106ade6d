// SPDX-License-Identifier: MIT
#include "http/address.hpp"

#include "http/fetch.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string>

namespace catbird::http {
namespace {

constexpr std::array<std::uint8_t, 12> mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

bool in_block(const IpAddress& address, const IpAddress& network, unsigned prefix_bits) {
  std::size_t const whole = prefix_bits / 8;
  if (!std::equal(network.bytes.begin(), network.bytes.begin() + whole, address.bytes.begin())) {
    return false;
  }
  unsigned const rest = prefix_bits % 8;
  if (rest == 0) return true;
  unsigned const difference = unsigned{network.bytes[whole]} ^ address.bytes[whole];
  return (difference >> (8 - rest)) == 0;
}

struct V4Block {
  std::array<std::uint8_t, 4> network;
  unsigned bits;
};

// IANA IPv4 Special-Purpose Address Registry, plus multicast and the 6to4 relay anycast.
constexpr V4Block v4_not_public[] = {
    {{0, 0, 0, 0}, 8},        // this network
    {{10, 0, 0, 0}, 8},       // private (RFC 1918)
    {{100, 64, 0, 0}, 10},    // carrier-grade NAT (RFC 6598)
    {{127, 0, 0, 0}, 8},      // loopback
    {{169, 254, 0, 0}, 16},   // link-local, cloud metadata
    {{172, 16, 0, 0}, 12},    // private
    {{192, 0, 0, 0}, 24},     // IETF protocol assignments
    {{192, 0, 2, 0}, 24},     // documentation
    {{192, 88, 99, 0}, 24},   // 6to4 relay anycast, deprecated
    {{192, 168, 0, 0}, 16},   // private
    {{198, 18, 0, 0}, 15},    // benchmarking
    {{198, 51, 100, 0}, 24},  // documentation
    {{203, 0, 113, 0}, 24},   // documentation
    {{224, 0, 0, 0}, 4},      // multicast
    {{240, 0, 0, 0}, 4},      // reserved, broadcast
};

struct V6Block {
  std::array<std::uint8_t, 4> front;  // all blocks below are decided within 32 bits
  unsigned bits;
};

// Holes inside 2000::/3; everything outside that block is refused as a whole.
constexpr V6Block v6_not_public[] = {
    {{0x20, 0x01, 0x00, 0x00}, 23},  // IETF assignments: Teredo, ORCHID, benchmarking
    {{0x20, 0x01, 0x0d, 0xb8}, 32},  // documentation
    {{0x20, 0x02, 0x00, 0x00}, 16},  // 6to4: an IPv4 address in disguise
    {{0x3f, 0xff, 0x00, 0x00}, 20},  // documentation (RFC 9637)
};

IpAddress last_four(const IpAddress& address) {
  return IpAddress::v4(
      {address.bytes[12], address.bytes[13], address.bytes[14], address.bytes[15]});
}

bool is_public_v4(const IpAddress& address) {
  return std::ranges::none_of(v4_not_public, [&](const V4Block& block) {
    return in_block(address, IpAddress::v4(block.network), 96 + block.bits);
  });
}

/// One entry of X-Forwarded-For: an address, perhaps with a port.
std::optional<IpAddress> parse_forwarded(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  if (auto plain = parse_ip(text)) return plain;
  auto const colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  auto const port = text.substr(colon + 1);
  bool const digits = std::ranges::all_of(port, [](char c) { return c >= '0' && c <= '9'; });
  if (port.empty() || port.size() > 5 || !digits) return std::nullopt;
  text = text.substr(0, colon);
  if (text.size() > 2 && text.front() == '[' && text.back() == ']') {
    auto inner = parse_ip(text.substr(1, text.size() - 2));
    return inner;
  }
  auto v4 = parse_ip(text);
  return v4 && v4->is_v4() ? v4 : std::nullopt;
}

}  // namespace

IpAddress IpAddress::v4(std::array<std::uint8_t, 4> octets) {
  IpAddress address;
  std::ranges::copy(mapped_prefix, address.bytes.begin());
  std::ranges::copy(octets, address.bytes.begin() + 12);
  return address;
}

bool IpAddress::is_v4() const {
  return std::equal(mapped_prefix.begin(), mapped_prefix.end(), bytes.begin());
}

bool IpAddress::is_loopback() const {
  if (is_v4()) return bytes[12] == 127;
  return bytes[15] == 1 && std::all_of(bytes.begin(), bytes.begin() + 15,
                                       [](std::uint8_t byte) { return byte == 0; });
}

std::string IpAddress::text() const {
  char buffer[INET6_ADDRSTRLEN] = {};
  if (is_v4()) {
    ::inet_ntop(AF_INET, bytes.data() + 12, buffer, sizeof buffer);
  } else {
    ::inet_ntop(AF_INET6, bytes.data(), buffer, sizeof buffer);
  }
  return buffer;
}

std::optional<IpAddress> parse_ip(std::string_view text) {
  char buffer[INET6_ADDRSTRLEN] = {};
  if (text.empty() || text.size() >= sizeof buffer) return std::nullopt;
  // A NUL inside would make inet_pton read less than was given.
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  std::memcpy(buffer, text.data(), text.size());

  std::array<std::uint8_t, 4> octets{};
  if (::inet_pton(AF_INET, buffer, octets.data()) == 1) return IpAddress::v4(octets);
  IpAddress address;
  if (::inet_pton(AF_INET6, buffer, address.bytes.data()) == 1) return address;
  return std::nullopt;
}

bool is_public(const IpAddress& address) {
  if (address.is_v4()) return is_public_v4(address);
  // NAT64 (RFC 6052): reaches the IPv4 address in its last four bytes.
  IpAddress nat64;
  nat64.bytes = {0x00, 0x64, 0xff, 0x9b};
  if (in_block(address, nat64, 96)) return is_public_v4(last_four(address));

  if ((address.bytes[0] & 0xE0) != 0x20) return false;
  return std::ranges::none_of(v6_not_public, [&](const V6Block& block) {
    IpAddress network;
    std::ranges::copy(block.front, network.bytes.begin());
    return in_block(address, network, block.bits);
  });
}

bool is_public_address(const std::string& address) {
  auto parsed = parse_ip(address);
  return parsed && is_public(*parsed);
}

Result<CidrSet> CidrSet::parse(std::span<const std::string> texts) {
  CidrSet set;
  for (const std::string& text : texts) {
    auto const slash = text.find('/');
    auto network = parse_ip(std::string_view(text).substr(0, slash));
    if (!network) return fail(Errc::invalid_request, "not an address block: " + text);
    unsigned const width = network->is_v4() && text.find(':') == std::string::npos ? 32 : 128;
    unsigned bits = width;
    if (slash != std::string::npos) {
      const char* const end = text.data() + text.size();
      auto [at, error] = std::from_chars(text.data() + slash + 1, end, bits);
      if (error != std::errc{} || at != end || bits > width) {
        return fail(Errc::invalid_request, "not an address block: " + text);
      }
    }
    set.blocks_.push_back({*network, bits + (128 - width)});
  }
  return set;
}

bool CidrSet::contains(const IpAddress& address) const {
  return std::ranges::any_of(blocks_, [&](const Block& block) {
    return in_block(address, block.network, block.prefix_bits);
  });
}

IpAddress client_address(const CidrSet& trusted, const IpAddress& direct,
                         std::string_view forwarded_for) {
  IpAddress believed = direct;
  while (!forwarded_for.empty() && trusted.contains(believed)) {
    auto const comma = forwarded_for.rfind(',');
    auto const entry = forwarded_for.substr(comma == std::string_view::npos ? 0 : comma + 1);
    auto address = parse_forwarded(entry);
    if (!address) break;
    believed = *address;
    forwarded_for = forwarded_for.substr(0, comma == std::string_view::npos ? 0 : comma);
  }
  return believed;
}

}  // namespace catbird::http
