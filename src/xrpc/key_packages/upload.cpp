// SPDX-License-Identifier: MIT
#include "xrpc/key_packages/upload.hpp"

#include "core/key_packages.hpp"
#include "core/limits.hpp"
#include "mls/parse.hpp"
#include "mls/verify.hpp"
#include "xrpc/group_parts.hpp"

namespace catbird::xrpc {

namespace {

Result<core::Caller> owner_of(const mls::KeyPackage& package, const core::Caller& caller) {
  if (package.leaf.credential.type != mls::basic_credential) {
    return fail(Errc::invalid_key_package, "the credential is not a basic one");
  }
  auto name = credential_name(package.leaf.credential.identity);
  if (!name || name->user != caller.user) {
    return fail(Errc::invalid_key_package, "the credential is not the caller's DID");
  }
  auto owner = caller;
  if (name->device.value.empty()) return owner;
  if (!owner.device.value.empty() && owner.device != name->device) {
    return fail(Errc::invalid_key_package, "the credential is of another device");
  }
  owner.device = std::move(name->device);
  return owner;
}

Result<std::optional<Timestamp>> expires_of(const Fields& item) {
  auto text = item.maybe_text("expires");
  if (!text) return std::unexpected(text.error());
  if (!*text) return std::nullopt;
  auto time = from_rfc3339(**text);
  if (!time) return fail(Errc::invalid_request, "expires must be an RFC 3339 date-time");
  return time;
}

Result<void> check_suite(const Fields& item, const mls::KeyPackage& package) {
  auto text = item.text("cipherSuite");
  if (!text) return std::unexpected(text.error());
  const auto* named = mls::suite_by_name(*text);
  if (named == nullptr) return fail(Errc::invalid_cipher_suite);
  if (named->id != package.cipher_suite) {
    return fail(Errc::invalid_key_package, "cipherSuite is not the key package's");
  }
  return {};
}

/// `package` points into `bytes`, which keep their place when they are moved.
template <class Expires>
Result<Upload> finish(const mls::KeyPackage& package, Bytes bytes, const core::Caller& caller,
                      Expires expires_of, Timestamp now) {
  if (auto checked = mls::check_key_package(package); !checked) {
    return std::unexpected(checked.error());
  }
  auto owner = owner_of(package, caller);
  if (!owner) return std::unexpected(owner.error());
  auto expires = expires_of();
  if (!expires) return std::unexpected(expires.error());
  auto terms = core::key_package_terms(package, *expires, now);
  if (!terms) return std::unexpected(terms.error());
  auto ref = mls::key_package_ref(package);
  if (!ref) return std::unexpected(ref.error());

  const auto hash = mls::sha256(bytes);
  storage::NewKeyPackage fresh;
  fresh.ref = std::move(*ref);
  fresh.hash = Bytes(hash.begin(), hash.end());
  fresh.suite = package.cipher_suite;
  fresh.last_resort = terms->last_resort;
  fresh.not_after = terms->not_after;
  fresh.bytes = std::move(bytes);
  const auto key = package.leaf.signature_key;
  return Upload{std::move(*owner), std::move(fresh), Bytes(key.begin(), key.end())};
}

}  // namespace

Result<Upload> check_upload(const Fields& item, const core::Caller& caller, Timestamp now) {
  auto bytes = item.bytes("keyPackage");
  if (!bytes) return std::unexpected(bytes.error());
  if (bytes->size() > core::key_package_bytes_max) {
    return fail(Errc::invalid_key_package, "the key package is too large");
  }
  auto package = mls::read_key_package(*bytes);
  if (!package) return fail(Errc::invalid_key_package, package.error().detail);
  if (auto checked = check_suite(item, *package); !checked) {
    return std::unexpected(checked.error());
  }
  return finish(*package, std::move(*bytes), caller, [&item] { return expires_of(item); }, now);
}

Result<Upload> check_package(Bytes bytes, const core::Caller& caller,
                             std::optional<Timestamp> expires, Timestamp now) {
  if (bytes.size() > core::key_package_bytes_max) {
    return fail(Errc::invalid_key_package, "the key package is too large");
  }
  auto package = mls::read_key_package(bytes);
  if (!package) return fail(Errc::invalid_key_package, package.error().detail);
  auto bound = [expires]() -> Result<std::optional<Timestamp>> { return expires; };
  return finish(*package, std::move(bytes), caller, bound, now);
}

}  // namespace catbird::xrpc
