// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

// Which document a DID names, and whether we would ask for it. Pure.

namespace catbird::auth {

/// `iss` in its parts; `device` is empty without a fragment.
struct Issuer {
  std::string did;
  std::string device;
};

/// Nothing unless a valid DID, and the fragment, if any, 1 to 128 unreserved characters.
std::optional<Issuer> parse_issuer(std::string_view iss);

struct DidTarget {
  std::string url;
  bool operator_url = false;  // the operator's own directory
};
struct DidTargetRules {
  std::string_view plc_directory_url;
  bool development = false;                // did:web:localhost, with a port, over http
  std::span<const std::string> allowlist;  // hosts; ".example.com" means every host below it
};

/// Nothing if the host is one we never connect to (quality §3c, did:web SSRF) or not allowed.
std::optional<DidTarget> did_target(std::string_view did, const DidTargetRules& rules);

}  // namespace catbird::auth
