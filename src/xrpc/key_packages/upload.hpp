// SPDX-License-Identifier: MIT
#pragma once

#include "storage/user_writer.hpp"
#include "xrpc/endpoint.hpp"

#include <optional>

namespace catbird::xrpc {

/// One checked upload: what may be stored, and for which device.
struct Upload {
  core::Caller owner;
  storage::NewKeyPackage package;
  Bytes signature_key{};  // of the leaf
};

/// {keyPackage, cipherSuite, expires?} checked as a whole: framing, signatures, suite, lifetime,
/// credential = caller (K4). Fails with the lexicon's errors; changes nothing.
Result<Upload> check_upload(const Fields& item, const core::Caller& caller, Timestamp now);

/// The same of bytes alone: the suite is the package's own, `expires` a bound on its life.
Result<Upload> check_package(Bytes bytes, const core::Caller& caller,
                             std::optional<Timestamp> expires, Timestamp now);

}  // namespace catbird::xrpc
