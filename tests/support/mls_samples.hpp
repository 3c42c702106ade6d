// SPDX-License-Identifier: MIT
#pragma once

#include "mls/parse.hpp"
#include "support/mls_writer.hpp"

#include <optional>
#include <string>
#include <vector>

// Material and checks that the mls tests and the fuzzers share.

namespace catbird::testing {

/// The kinds of value that the parsers take.
enum class Kind { message, key_package, welcome, group_info, ratchet_tree, commit, proposal };

struct Sample {
  std::string name;
  Kind kind;
  Bytes bytes;
};

/// Made by the writer: at least one sample of each kind and wire format.
std::vector<Sample> made_samples();

/// Reads `bytes` strictly and writes it again, field by field; nothing if they do not parse.
std::optional<Bytes> reencoded(Kind kind, ByteView bytes);

/// The whole of `package` signed anew after a test changed its fields.
Bytes resigned(const Signer& signer, mls::KeyPackage package);

}  // namespace catbird::testing
