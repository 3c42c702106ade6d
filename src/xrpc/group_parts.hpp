// SPDX-License-Identifier: MIT
#pragma once

#include "core/commands.hpp"
#include "storage/reader.hpp"
#include "xrpc/input.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// Reads the MLS parts of a group change (commit, Welcome, GroupInfo, key packages) out of a request
// and turns them into facts for core/. Two steps: parse() needs only the bytes; resolve() needs
// what the store knows of the key packages a Welcome names.

namespace catbird::xrpc {

/// Where a method keeps its parts, and which commit it takes.
struct PartNames {
  std::string_view commit = "commit";
  bool external = false;  // sender new_member_commit (RFC 9420 §12.4.3.2) instead of member
};

struct ParsedParts {
  core::GroupParts parts;              // without recipients and key packages
  std::vector<Bytes> welcome_refs;     // KeyPackageRefs inside the Welcome
  std::vector<Bytes> named_hashes;     // keyPackageHashes: SHA-256 or KeyPackageRef
  std::vector<core::Did> inline_adds;  // of a PublicMessage commit
  std::optional<core::Did> joiner;     // leaf credential of an external commit
  std::optional<core::DeviceId> joiner_device;
  bool has_references = false;  // the commit also takes proposals by reference
  bool commit_is_public = false;
};

/// invalid_request / malformed_mls / invalid_commit / invalid_group_info / message_too_large.
Result<ParsedParts> parse_parts(const Fields& fields, const PartNames& names);

/// The roster comes from the request; what a PublicMessage commit says by value must agree
/// (DECISIONS 3): invalid_commit otherwise.
Result<void> check_inline_adds(const ParsedParts& parsed, const std::vector<core::Did>& declared);

/// Names the Welcome's recipients and the key packages that are used up (contract README 13,
/// DECISIONS 14). Blocks: a reader thread.
Result<core::GroupParts> resolve_parts(storage::Reader& reader, ParsedParts parsed,
                                       const core::Did& caller,
                                       const std::vector<core::Did>& declared, Timestamp now);

/// The idempotency key of a group change: the client's, else the commit itself (a commit is made
/// once, so its hash is as good a key). Nothing if there is neither.
Result<std::optional<core::RequestKey>> request_key(const Body& body, std::string_view method,
                                                    const core::GroupParts& parts);

/// user and device of a basic credential's identity (DECISIONS 14).
struct CredentialName {
  core::Did user;
  core::DeviceId device;
};
std::optional<CredentialName> credential_name(ByteView identity);

}  // namespace catbird::xrpc
