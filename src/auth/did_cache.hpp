// SPDX-License-Identifier: MIT
#pragma once

#include "auth/did.hpp"
#include "auth/lru_map.hpp"
#include "auth/service_auth.hpp"
#include "auth/signature.hpp"

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace catbird::auth {

struct KeyAnswer {
  enum class Origin {
    cache,    // perhaps rotated since: a bad signature deserves one refresh
    fetched,  // as the directory has it now
    stale     // the directory does not answer: a bad signature proves nothing
  };
  std::shared_ptr<const PublicKey> key;  // shared: a verification may outlast the cache entry
  Origin origin = Origin::cache;
};

/// The signing keys of callers, as their DID documents give them (quality S5, S7).
///
/// Up to `document_fresh` an answer comes from memory, and towards the end of it the document is
/// fetched again in the background; after it callers wait for the fetch. One fetch per DID at a
/// time. If the directory does not answer, a known key is good until `document_stale_max`.
/// Thread-safe; no callback ever runs under the lock.
class DidCache : public std::enable_shared_from_this<DidCache> {
 public:
  /// Fails with unauthenticated (no usable document) or overloaded or storage_unavailable (not
  /// known). Runs exactly once, at once or on the fetch's thread.
  using Done = std::move_only_function<void(Result<KeyAnswer>)>;

  DidCache(const AuthOptions& options, const Clock& clock, DidFetch fetch);

  void find(const std::string& did, Done done);
  /// After a signature that the cached key did not make: fetches again, within the limits of S5.
  /// Where those forbid it, fails with unauthenticated.
  void find_refreshed(const std::string& did, Done done);

 private:
  static constexpr std::int64_t never_ms = std::numeric_limits<std::int64_t>::min();

  struct Known {
    std::shared_ptr<const PublicKey> key;
    std::int64_t asked_ms = never_ms;   // when its fetch began
    std::int64_t forced_ms = never_ms;  // last forced refresh
    std::int64_t failed_ms = never_ms;  // last fetch without an answer since
  };
  struct Unusable {
    Error error;
    std::int64_t asked_ms = 0;
    std::int64_t life_ms = 0;
  };
  struct Flight {
    std::int64_t asked_ms = 0;
    std::vector<Done> waiters;
  };
  /// What to do once the lock is released.
  struct Step {
    bool start = false;
    std::optional<Result<KeyAnswer>> answer;
  };

  Step join(const std::string& did, Done& done, std::int64_t now);
  Step look(const std::string& did, Done& done, std::int64_t now);
  void proceed(const std::string& did, Step step, Done done);
  void start_flight(const std::string& did);
  void finish(const std::string& did, bool operator_url, const Result<DidFetchReply>& reply);
  Result<KeyAnswer> settle(const std::string& did, std::int64_t asked_ms,
                           Result<std::shared_ptr<const PublicKey>> outcome);
  bool may_force(Known& known, std::int64_t now);
  bool breaker_lets_pass(std::int64_t now);
  void note_directory(bool answered, std::int64_t now);
  std::int64_t now_ms() const { return clock_.now().value; }

  AuthOptions options_;
  const Clock& clock_;
  DidFetch fetch_;
  std::mutex mutex_;  // guards all below
  LruMap<Known> known_;
  LruMap<Unusable> unusable_;
  std::unordered_map<std::string, Flight> flights_;
  std::int64_t forced_second_ = 0;
  std::size_t forced_in_second_ = 0;
  int directory_failures_ = 0;
  std::int64_t next_probe_ms_ = 0;
};

}  // namespace catbird::auth
