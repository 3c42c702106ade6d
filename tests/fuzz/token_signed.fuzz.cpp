// SPDX-License-Identifier: MIT
#include "auth/jwt.hpp"
#include "base/check.hpp"
#include "unit/auth/auth_world.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

using namespace catbird;
using namespace catbird::auth;

namespace {

constexpr std::int64_t skew = 30;
constexpr std::int64_t life_max = 300;

struct Signers {
  std::unique_ptr<test::Signer> k256 = test::Signer::es256k();
  std::unique_ptr<test::Signer> p256 = test::Signer::es256();
  std::unique_ptr<test::Signer> other = test::Signer::es256k();
};

/// Who signs, by the lowest bits of the first octet; the third one's key is in no document.
const test::Signer& signer_of(const Signers& signers, std::uint8_t choice) {
  if (choice % 4 == 3) return *signers.other;
  return choice % 4 == 2 ? *signers.p256 : *signers.k256;
}

std::string_view next_line(std::string_view& rest) {
  const auto line = rest.substr(0, rest.find('\n'));
  rest.remove_prefix(std::min(rest.size(), line.size() + 1));
  return line;
}

/// A header line (empty: the right one), then `name=JSON` lines put over claims that are right;
/// `name` alone takes the claim away.
std::string token_of(const test::Signer& signer, std::string_view edits) {
  auto header = std::string(next_line(edits));
  if (header.empty()) header = R"({"alg":")" + signer.alg() + R"(","typ":"JWT"})";
  Claims claims(start_seconds);
  claims.text("jti", "the only one");
  while (!edits.empty()) {
    const auto line = next_line(edits);
    const auto equals = line.find('=');
    const std::string name(line.substr(0, equals));
    if (equals == std::string_view::npos) {
      claims.without(name);
    } else {
      claims.raw(name, std::string(line.substr(equals + 1)));
    }
  }
  return test::sign_token(signer, header, claims.json());
}

/// The rules of DECISIONS 15 and 19 once more, of whatever was let in.
void check_accepted(const std::string& text, const Identity& caller) {
  const auto token = parse_token(text);
  CATBIRD_CHECK(token.has_value());
  CATBIRD_CHECK(token->alg == Alg::es256k || token->alg == Alg::es256);
  CATBIRD_CHECK(token->aud == service || token->aud == service + "#atproto_mls");
  CATBIRD_CHECK(token->lxm == method);
  const auto fragment = caller.device.empty() ? "" : "#" + caller.device;
  CATBIRD_CHECK(token->iss == caller.did + fragment);
  CATBIRD_CHECK(caller.did == (token->alg == Alg::es256k ? alice : bob));
  CATBIRD_CHECK(token->exp > start_seconds - skew);
  CATBIRD_CHECK(token->exp <= start_seconds + life_max + skew);
  CATBIRD_CHECK(!token->nbf || *token->nbf <= start_seconds + skew);
  CATBIRD_CHECK(!token->iat || *token->iat <= start_seconds + skew);
  CATBIRD_CHECK(!token->iat || token->exp - *token->iat <= life_max);
}

void check_refused(const Error& error) {
  CATBIRD_CHECK(error.code == Errc::unauthenticated || error.code == Errc::token_from_before ||
                error.code == Errc::storage_unavailable);
}

}  // namespace

/// Tokens with a good signature over claims that were tampered with.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Signers signers;
  if (size == 0) return 0;
  const auto& signer = signer_of(signers, data[0]);
  const auto token = token_of(signer, text_of({data + 1, size - 1}));

  World world;
  world.directory.serve(alice, test::did_document(alice, signers.k256->multikey()));
  world.directory.serve(bob, test::did_document(bob, signers.p256->multikey()));
  world.options.replay_entries_max = 16;
  const auto first = world.verify(token);
  if (!first) {
    check_refused(first.error());
    return 0;
  }
  CATBIRD_CHECK(&signer != signers.other.get());
  check_accepted(token, *first);
  const auto second = world.verify(token);
  CATBIRD_CHECK(!second && second.error().code == Errc::unauthenticated);
  return 0;
}
