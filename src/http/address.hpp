// SPDX-License-Identifier: MIT
#pragma once

#include "base/result.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// IP addresses as values: no sockets here. Pure functions, callable from any thread.

namespace catbird::http {

/// An IPv4 or IPv6 address in one form: sixteen bytes, IPv4 as ::ffff:a.b.c.d (RFC 4291 §2.5.5.2),
/// so that a mapped address can never pass a rule written for the other family.
struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};

  static IpAddress v4(std::array<std::uint8_t, 4> octets);
  bool is_v4() const;
  bool is_loopback() const;
  /// Canonical text; an IPv4 address in dotted decimal however it was given.
  std::string text() const;
  friend bool operator==(const IpAddress&, const IpAddress&) = default;
};

/// Canonical dotted decimal or RFC 4291 text, without zone, brackets or port; nothing otherwise.
std::optional<IpAddress> parse_ip(std::string_view text);

/// S7 under public_only: globally routed unicast. See fetch.hpp for the list of what is not.
bool is_public(const IpAddress& address);

/// A set of address blocks, "10.0.0.0/8" or a bare address.
class CidrSet {
 public:
  /// Fails with invalid_request and the offending entry in the detail.
  static Result<CidrSet> parse(std::span<const std::string> texts);
  bool contains(const IpAddress& address) const;

 private:
  struct Block {
    IpAddress network;
    unsigned prefix_bits = 128;
  };
  std::vector<Block> blocks_;
};

/// Who the client is: `direct` unless that is a trusted proxy; then the rightmost address of
/// X-Forwarded-For that is not a trusted proxy itself. Entries left of it are the client's own
/// claims and never read; an entry that is no address ends the walk at the last proxy believed.
IpAddress client_address(const CidrSet& trusted, const IpAddress& direct,
                         std::string_view forwarded_for);

}  // namespace catbird::http
