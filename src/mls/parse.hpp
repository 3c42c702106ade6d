// SPDX-License-Identifier: MIT
#pragma once

#include "base/result.hpp"
#include "mls/types.hpp"

namespace catbird::mls {

/// Strict readers of whole values: minimal varints (RFC 9420 §2.1.2), presence octets 0/1, no
/// trailing bytes, every length checked against what remains before it is used. They allocate
/// nothing (but for the text of an error), and no structure contains itself, so the depth is fixed.
/// Proposals of unknown type have no length that would let one skip them: malformed. Each fails
/// with Errc::malformed_mls and a detail that names the field. Pure; safe on any input; results
/// point into `input`.
Result<MlsMessage> parse_message(ByteView input);        // RFC 9420 §6
Result<KeyPackage> parse_key_package(ByteView input);    // §10, bare
Result<Welcome> parse_welcome(ByteView input);           // §12.4.3.1, bare
Result<GroupInfo> parse_group_info(ByteView input);      // §12.4.3, bare
Result<RatchetTree> parse_ratchet_tree(ByteView input);  // §12.4.3.3
Result<Commit> parse_commit(ByteView input);             // §12.4, bare
Result<Proposal> parse_proposal(ByteView input);         // §12.1, bare

/// Clients upload key packages, Welcomes and GroupInfos bare or as MLSMessage (contract README,
/// notes on real clients): these take either.
Result<KeyPackage> read_key_package(ByteView input);
Result<Welcome> read_welcome(ByteView input);
Result<GroupInfo> read_group_info(ByteView input);

/// The MLSMessage inside a padded frame (u32 big-endian length, MLSMessage, zeros), or `input`
/// itself if it is a bare MLSMessage. Non-zero padding, a length beyond the frame: malformed_mls.
Result<ByteView> strip_padding(ByteView input);

}  // namespace catbird::mls
