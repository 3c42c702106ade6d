// SPDX-License-Identifier: MIT
#pragma once

#include "auth/signature.hpp"
#include "base/result.hpp"

#include <memory>
#include <string_view>

namespace catbird::auth {

/// The signing key a DID document gives: its one verification method named `#atproto` (quality S4).
/// Multikey, the two older types with a bare multibase point, or a JWK. Pure; any thread.
///
/// Fails with unauthenticated if the document is another DID's or has no such key or more than one;
/// with storage_unavailable if the text is no JSON object: then it is the directory that is broken.
Result<std::shared_ptr<const PublicKey>> key_of_document(std::string_view json,
                                                         std::string_view did);

}  // namespace catbird::auth
