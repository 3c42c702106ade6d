// SPDX-License-Identifier: MIT
#pragma once

#include "base/result.hpp"
#include "base/time.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

// Who is calling: AT Protocol service auth (a JWT signed with the `#atproto` key of the caller's
// DID document). quality/reliability S1-S7 in our words: docs/operations.md, "Who may call".

namespace catbird::auth {

/// The verified caller. `did` is bare; `device` is the fragment of `iss`, or empty.
struct Identity {
  std::string did;
  std::string device;
};

/// Fetches a DID document: (did, forced) -> JSON text or an error. Given by app/, built on
/// http::Fetcher; may complete on any thread.
struct DidFetchReply {
  int status = 0;
  std::string body;
};
using DidFetch = std::function<void(std::string url, bool operator_url,
                                    std::move_only_function<void(Result<DidFetchReply>)>)>;
/// Runs a task later on a thread of our choice (timers are not needed by auth).
using Post = std::function<void(std::move_only_function<void()>)>;

struct AuthOptions {
  std::string service_did;  // required outside development (did:web:localhost)
  std::string plc_directory_url = "https://plc.directory";
  bool development = false;           // CATBIRD_DEV: HS256, http did:web on localhost
  std::string jwt_secret;             // HS256 only if development and >= 32 bytes
  std::chrono::seconds exp_max{300};  // exp <= now + this + skew (DECISIONS 19)
  std::chrono::seconds skew{30};
  std::chrono::seconds document_fresh{300};  // S5: an old key is refused after this at the latest
  // A known key while the directory does not answer (quality G40): it never means "no fetch
  // needed".
  std::chrono::seconds document_stale_max{3600};
  std::chrono::seconds forced_refresh_min{30};  // at most one forced refresh per DID in this time
  std::size_t documents_max = 100'000;          // cache bound
  std::size_t replay_entries_max = 2'000'000;
  std::string journal_path;  // (iss, jti, exp) journal; empty: memory only (tests)
  std::vector<std::string> did_host_allowlist;  // DID_RESOLUTION_HOST_ALLOWLIST; empty: all
};

/// Verifies one token per request. Order: shape, alg, claims (aud, lxm, exp, iss), key, signature,
/// then replay: a token that fails leaves no trace. Acting identity = iss and nothing else.
///
/// Fails with: unauthenticated (401; detail names the reason), token_from_before (503: issued
/// before this process started while the journal cannot rule out a replay, DECISIONS 15/19),
/// overloaded / storage_unavailable (503: the directory did not answer; never 401 for that).
/// No token, DID or key ever appears in a detail or a log line.
///
/// One residue is known: if the journal is lost, a token whose issuer's clock was ahead of ours by
/// more than the time we were down looks like a new one, for the rest of its life.
class ServiceAuth {
 public:
  /// Opens the journal. Fails (one line) if it cannot be created or another process uses it, or if
  /// the service DID is missing or malformed; damage is survivable. `clock` and whatever `fetch`
  /// uses must outlive the result, and no fetch may complete while it is being destroyed.
  static Result<std::unique_ptr<ServiceAuth>> open(AuthOptions options, const Clock& clock,
                                                   DidFetch fetch);
  virtual ~ServiceAuth() = default;
  /// `authorization`: the header's value. `nsid`: the method called, must equal `lxm`.
  /// `done` runs exactly once, at once or later on the fetch's thread. Any thread may call.
  virtual void verify(std::string authorization, std::string nsid,
                      std::move_only_function<void(Result<Identity>)> done) = 0;
};

/// Mints a development token (HS256). Used by `catbird-mls-server token` and tests.
std::string mint_dev_token(std::string_view secret, std::string_view iss, std::string_view aud,
                           std::string_view lxm, Timestamp now, std::chrono::seconds ttl,
                           std::string_view jti);

/// True for a syntactically valid did:plc or did:web (AT Protocol rules), without fragment.
bool is_valid_did(std::string_view did);

}  // namespace catbird::auth
