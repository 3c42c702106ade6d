// SPDX-License-Identifier: MIT
#include "mls/reader.hpp"
#include "mls/verify.hpp"

#include <algorithm>
#include <bitset>
#include <memory>

namespace catbird::mls {
namespace {

constexpr std::uint16_t mls10 = 1;
using TypeSet = std::bitset<0x10000>;

Result<void> bad_package(const char* why) { return fail(Errc::invalid_key_package, why); }

/// RFC 9420 §7.3: a leaf lists what it uses; the extension types of RFC 9420 go without saying.
bool extensions_within_capabilities(const LeafNode& leaf) {
  constexpr std::uint16_t last_default_extension = 5;
  auto supported = std::make_unique<TypeSet>();
  for (const auto type : leaf.capabilities.extensions) supported->set(type);
  for (const auto& extension : leaf.extensions) {
    if (extension.type > last_default_extension && !supported->test(extension.type)) return false;
  }
  return true;
}

Result<void> check_leaf(const SuiteInfo& suite, const LeafNode& leaf) {
  const auto& can = leaf.capabilities;
  if (leaf.source != LeafSource::key_package) return bad_package("leaf source is not key_package");
  if (leaf.lifetime.not_before > leaf.lifetime.not_after) {
    return bad_package("lifetime ends before it begins");
  }
  if (!contains(can.versions, mls10)) return bad_package("version missing from capabilities");
  if (!contains(can.cipher_suites, suite.id)) {
    return bad_package("cipher suite missing from capabilities");
  }
  if (!contains(can.credentials, leaf.credential.type)) {
    return bad_package("credential type missing from capabilities");
  }
  if (has_duplicate_types(leaf.extensions)) return bad_package("duplicate leaf extension");
  if (!extensions_within_capabilities(leaf)) {
    return bad_package("extension type missing from capabilities");
  }
  return {};
}

/// app_data_dictionary of draft-ietf-mls-extensions: ComponentData component_data<V>, each a u16 id
/// and opaque data<V>.
bool names_last_resort_component(ByteView dictionary) {
  constexpr std::uint16_t last_resort_component = 4;
  Reader outer(dictionary);
  Reader in(outer.opaque("component_data"));
  bool found = false;
  while (!in.done()) {
    const auto id = in.u16("component_id");
    const auto data = in.opaque("data");
    found = found || (id == last_resort_component && data.empty() && !in.failed());
  }
  return found && outer.done() && !outer.failed() && !in.failed();
}

}  // namespace

Result<void> check_key_package(const KeyPackage& package) {
  const auto* suite = suite_by_id(package.cipher_suite);
  if (package.version != mls10) return bad_package("version is not mls10");
  if (suite == nullptr) return fail(Errc::invalid_cipher_suite, "unknown cipher suite");
  const auto& leaf = package.leaf;
  if (auto checked = check_leaf(*suite, leaf); !checked) return checked;
  for (const auto key : {package.init_key, leaf.encryption_key}) {
    const bool fits = suite->hpke_key_bytes == 0 || key.size() == suite->hpke_key_bytes;
    if (key.empty() || !fits) return bad_package("hpke key of the wrong size");
  }
  if (std::ranges::equal(package.init_key, leaf.encryption_key)) {
    return bad_package("init key equals encryption key");
  }
  if (has_duplicate_types(package.extensions)) return bad_package("duplicate extension");
  if (!verify_with_label(package.cipher_suite, leaf.signature_key, "LeafNodeTBS", leaf.tbs,
                         leaf.signature)) {
    return bad_package("leaf signature does not verify");
  }
  if (!verify_with_label(package.cipher_suite, leaf.signature_key, "KeyPackageTBS", package.tbs,
                         package.signature)) {
    return bad_package("package signature does not verify");
  }
  return {};
}

bool has_duplicate_types(const List<Extension>& list) {
  auto seen = std::make_unique<TypeSet>();
  for (const auto& extension : list) {
    if (seen->test(extension.type)) return true;
    seen->set(extension.type);
  }
  return false;
}

bool is_last_resort(const KeyPackage& package) {
  constexpr std::uint16_t last_resort = 0x000a;
  constexpr std::uint16_t app_data_dictionary = 0x0006;
  for (const auto& extension : package.extensions) {
    if (extension.type == last_resort) return true;
    if (extension.type == app_data_dictionary && names_last_resort_component(extension.data)) {
      return true;
    }
  }
  return false;
}

}  // namespace catbird::mls
