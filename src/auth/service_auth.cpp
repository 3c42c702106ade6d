// SPDX-License-Identifier: MIT
#include "auth/service_auth.hpp"

#include "auth/did.hpp"
#include "auth/did_cache.hpp"
#include "auth/jwt.hpp"
#include "auth/limits.hpp"
#include "auth/replay.hpp"
#include "base/digest.hpp"

#include <algorithm>
#include <random>
#include <utility>

namespace catbird::auth {
namespace {

constexpr std::string_view development_did = "did:web:localhost";
constexpr std::string_view service_fragment = "#atproto_mls";
constexpr std::string_view scheme = "bearer ";

std::unexpected<Error> refuse(std::string_view detail) {
  return fail(Errc::unauthenticated, std::string(detail));
}

Result<std::string_view> bearer_token(std::string_view authorization) {
  if (authorization.empty()) return refuse("authorization header is missing");
  const auto given = authorization.substr(0, scheme.size());
  const bool is_bearer = std::ranges::equal(given, scheme, [](char left, char right) {
    return (left >= 'A' && left <= 'Z' ? static_cast<char>(left - 'A' + 'a') : left) == right;
  });
  if (!is_bearer) return refuse("authorization is not a bearer token");
  return authorization.substr(scheme.size());
}

bool key_fits(Alg alg, Curve curve) {
  return curve == Curve::p256 ? alg == Alg::es256 : alg == Alg::es256k;
}

/// One request's token on its way; the token's views point into `authorization`.
struct Attempt {
  std::string authorization;
  Token token;
  Issuer issuer;
  std::move_only_function<void(Result<Identity>)> done;
};
using AttemptPtr = std::unique_ptr<Attempt>;

class Verifier final : public ServiceAuth {
 public:
  Verifier(AuthOptions options, const Clock& clock, DidFetch fetch,
           std::unique_ptr<ReplayGuard> replay)
      : options_(std::move(options)),
        service_aud_(options_.service_did + std::string(service_fragment)),
        secret_(view_of(options_.jwt_secret)),
        clock_(clock),
        replay_(std::move(replay)),
        // Shared with nobody; weakly known to fetches that may complete after our end.
        keys_(std::make_shared<DidCache>(options_, clock, std::move(fetch))) {}

  void verify(std::string authorization, std::string nsid,
              std::move_only_function<void(Result<Identity>)> done) override {
    auto attempt = std::make_unique<Attempt>();
    attempt->authorization = std::move(authorization);
    attempt->done = std::move(done);
    auto read = read_token(*attempt, nsid);
    if (!read) return attempt->done(std::unexpected(std::move(read.error())));
    if (attempt->token.alg == Alg::hs256) return verify_with_secret(std::move(attempt));
    const std::string did = attempt->issuer.did;
    keys_->find(did, [this, attempt = std::move(attempt)](Result<KeyAnswer> answer) mutable {
      verify_with_key(std::move(attempt), std::move(answer), true);
    });
  }

 private:
  Result<void> read_token(Attempt& attempt, std::string_view nsid) const;
  Result<void> check_claims(const Token& token, std::string_view nsid) const;
  Result<void> check_times(const Token& token) const;
  bool accepts_secret() const {
    return options_.development && options_.jwt_secret.size() >= secret_bytes_min;
  }
  void verify_with_secret(AttemptPtr attempt);
  void verify_with_key(AttemptPtr attempt, Result<KeyAnswer> answer, bool may_refresh);
  void accept(AttemptPtr attempt);

  AuthOptions options_;
  std::string service_aud_;
  HmacSha256 secret_;
  const Clock& clock_;
  std::unique_ptr<ReplayGuard> replay_;
  std::shared_ptr<DidCache> keys_;
};

Result<void> Verifier::read_token(Attempt& attempt, std::string_view nsid) const {
  const auto text = bearer_token(attempt.authorization);
  if (!text) return std::unexpected(text.error());
  auto token = parse_token(*text);
  if (!token) return std::unexpected(std::move(token.error()));
  attempt.token = std::move(*token);
  if (attempt.token.alg == Alg::hs256 && !accepts_secret()) return refuse("alg is not accepted");
  auto checked = check_claims(attempt.token, nsid);
  if (!checked) return checked;
  auto issuer = parse_issuer(attempt.token.iss);
  if (!issuer) return refuse("iss is not a did this server knows");
  attempt.issuer = std::move(*issuer);
  return {};
}

Result<void> Verifier::check_claims(const Token& token, std::string_view nsid) const {
  if (token.aud != options_.service_did && token.aud != service_aud_) {
    return refuse("aud does not name this server");
  }
  if (token.lxm != nsid) return refuse("lxm does not match the method");
  return check_times(token);
}

Result<void> Verifier::check_times(const Token& token) const {
  // All in seconds; the parser bounds them to 53 bits, so no sum overflows.
  const std::int64_t now = clock_.now().value / 1000;
  const std::int64_t skew = options_.skew.count();
  const std::int64_t life_max = options_.exp_max.count();
  if (token.exp <= now - skew) return refuse("token has expired");
  if (token.exp > now + life_max + skew) return refuse("exp is too far in the future");
  if (token.nbf && *token.nbf > now + skew) return refuse("token is not valid yet");
  if (!token.iat) return {};
  if (*token.iat > now + skew) return refuse("iat is in the future");
  if (token.exp - *token.iat > life_max) return refuse("token lives too long");
  return {};
}

void Verifier::verify_with_secret(AttemptPtr attempt) {
  const auto mac = secret_.of({view_of(attempt->token.signed_text)});
  if (equal_in_constant_time(mac, attempt->token.signature)) return accept(std::move(attempt));
  attempt->done(refuse("signature does not match"));
}

void Verifier::verify_with_key(AttemptPtr attempt, Result<KeyAnswer> answer, bool may_refresh) {
  if (!answer) return attempt->done(std::unexpected(std::move(answer.error())));
  const Token& token = attempt->token;
  if (key_fits(token.alg, answer->key->curve()) &&
      answer->key->verify(token.signed_text, token.signature)) {
    return accept(std::move(attempt));
  }
  if (answer->origin == KeyAnswer::Origin::stale) {
    return attempt->done(fail(Errc::storage_unavailable, "did directory does not answer"));
  }
  if (answer->origin == KeyAnswer::Origin::fetched || !may_refresh) {
    return attempt->done(refuse("signature does not match"));
  }
  // The key may have been rotated since we read it.
  const std::string did = attempt->issuer.did;
  keys_->find_refreshed(did, [this, attempt = std::move(attempt)](Result<KeyAnswer> again) mutable {
    verify_with_key(std::move(attempt), std::move(again), false);
  });
}

void Verifier::accept(AttemptPtr attempt) {
  const Token& token = attempt->token;
  const std::int64_t skew = options_.skew.count();
  // Without `iat`, no earlier than the first moment we would have taken it.
  const std::int64_t issued = token.iat.value_or(token.exp - options_.exp_max.count() - skew);
  const auto now = static_cast<std::uint32_t>(std::max<std::int64_t>(clock_.now().value / 1000, 0));
  const TokenUse use{token.iss, token.jti, issued, token.exp + skew};
  auto used = replay_->use(use, now);
  if (!used) return attempt->done(std::unexpected(std::move(used.error())));
  attempt->done(Identity{std::move(attempt->issuer.did), std::move(attempt->issuer.device)});
}

}  // namespace

Result<std::unique_ptr<ServiceAuth>> ServiceAuth::open(AuthOptions options, const Clock& clock,
                                                       DidFetch fetch) {
  if (options.service_did.empty() && options.development) options.service_did = development_did;
  if (!is_valid_did(options.service_did)) {
    return fail(Errc::invalid_request, "SERVICE_DID is missing or no did");
  }
  std::random_device random;
  ReplayOptions replay_options;
  replay_options.entries_max = options.replay_entries_max;
  replay_options.journal_path = options.journal_path;
  replay_options.boot = current_boot_id();
  replay_options.seed = static_cast<std::uint64_t>(random()) << 32 | random();
  replay_options.life_seconds =
      static_cast<std::uint32_t>((options.exp_max + 2 * options.skew).count());
  replay_options.rotate_bytes_min = journal_rotate_bytes_min;
  replay_options.now =
      static_cast<std::uint32_t>(std::max<std::int64_t>(clock.now().value / 1000, 0));
  auto replay = ReplayGuard::open(replay_options);
  if (!replay) return std::unexpected(std::move(replay.error()));
  return std::make_unique<Verifier>(std::move(options), clock, std::move(fetch),
                                    std::move(*replay));
}

}  // namespace catbird::auth
