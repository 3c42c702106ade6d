// SPDX-License-Identifier: MIT
#include "auth/did_document.hpp"

#include "auth/limits.hpp"
#include "auth/multikey.hpp"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>

namespace catbird::auth {
namespace {

namespace dom = simdjson::dom;

constexpr std::string_view method_fragment = "#atproto";

std::unexpected<Error> refuse(std::string_view detail) {
  return fail(Errc::unauthenticated, std::string(detail));
}

/// The string member `name`; nothing if it is absent, no string, or there twice.
std::optional<std::string_view> text_member(const dom::object& object, std::string_view name) {
  std::optional<std::string_view> found;
  for (const auto& member : object) {
    if (member.key != name) continue;
    std::string_view text;
    if (found || member.value.get(text) != simdjson::SUCCESS) return std::nullopt;
    found = text;
  }
  return found;
}

std::size_t count_members(const dom::object& object, std::string_view name) {
  std::size_t count = 0;
  for (const auto& member : object) count += member.key == name ? 1 : 0;
  return count;
}

bool is_signing_method(const dom::object& method, std::string_view did) {
  const auto id = text_member(method, "id");
  if (!id || !id->ends_with(method_fragment)) return false;
  const auto owner = id->substr(0, id->size() - method_fragment.size());
  return owner.empty() || owner == did;
}

std::optional<EncodedKey> bare_point(Curve curve, std::string_view multibase) {
  auto point = from_multibase(multibase);
  if (!point) return std::nullopt;
  return EncodedKey{curve, std::move(*point)};
}

std::optional<EncodedKey> jwk_key(const dom::object& method) {
  dom::object jwk;
  if (method["publicKeyJwk"].get(jwk) != simdjson::SUCCESS) return std::nullopt;
  const auto crv = text_member(jwk, "crv");
  const auto x = text_member(jwk, "x");
  const auto y = text_member(jwk, "y");
  if (text_member(jwk, "kty") != "EC" || !crv || !x || !y) return std::nullopt;
  return from_jwk(*crv, *x, *y);
}

std::optional<EncodedKey> encoded_key(const dom::object& method) {
  const auto type = text_member(method, "type");
  const std::size_t multibases = count_members(method, "publicKeyMultibase");
  const std::size_t jwks = count_members(method, "publicKeyJwk");
  // Two keys in one method are as ambiguous as two methods.
  if (!type || multibases + jwks != 1) return std::nullopt;
  if (jwks == 1) return jwk_key(method);
  const auto multibase = text_member(method, "publicKeyMultibase");
  if (!multibase) return std::nullopt;
  if (*type == "Multikey") return from_multikey(*multibase);
  if (*type == "EcdsaSecp256k1VerificationKey2019") return bare_point(Curve::secp256k1, *multibase);
  if (*type == "EcdsaSecp256r1VerificationKey2019") return bare_point(Curve::p256, *multibase);
  return std::nullopt;
}

/// The only method called #atproto.
Result<dom::object> signing_method(const dom::object& document, std::string_view did) {
  dom::array methods;
  if (count_members(document, "verificationMethod") != 1 ||
      document["verificationMethod"].get(methods) != simdjson::SUCCESS) {
    return refuse("did document has no signing key");
  }
  if (methods.size() > methods_max) return refuse("did document has too many keys");
  std::optional<dom::object> found;
  for (const dom::element element : methods) {
    dom::object method;
    if (element.get(method) != simdjson::SUCCESS || !is_signing_method(method, did)) continue;
    if (found) return refuse("did document has two signing keys");
    found = method;
  }
  if (!found) return refuse("did document has no signing key");
  return *found;
}

}  // namespace

Result<std::shared_ptr<const PublicKey>> key_of_document(std::string_view json,
                                                         std::string_view did) {
  if (json.size() > document_bytes_max) {
    return fail(Errc::storage_unavailable, "did document is too large");
  }
  dom::parser parser;
  dom::object document;
  if (parser.parse(json.data(), json.size()).get(document) != simdjson::SUCCESS) {
    return fail(Errc::storage_unavailable, "did document cannot be read");
  }
  if (text_member(document, "id") != did) return refuse("did document is not the caller's");
  const auto method = signing_method(document, did);
  if (!method) return std::unexpected(method.error());
  const bool has_controller = count_members(*method, "controller") != 0;
  if (has_controller && text_member(*method, "controller") != did) {
    return refuse("signing key has another controller");
  }
  const auto encoded = encoded_key(*method);
  if (!encoded) return refuse("signing key is of no accepted kind");
  auto key = PublicKey::from_point(encoded->curve, encoded->point);
  if (!key) return refuse("signing key is not on its curve");
  return key;
}

}  // namespace catbird::auth
