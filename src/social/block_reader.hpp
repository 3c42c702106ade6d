// SPDX-License-Identifier: MIT
#pragma once

#include "auth/lru_map.hpp"
#include "auth/service_auth.hpp"
#include "social/blocks.hpp"

#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace catbird::social {

struct BlockReaderOptions {
  std::string plc_directory_url;
  bool development = false;
  std::vector<std::string> did_host_allowlist{};
};

/// The lists of all users, as their data servers give them: DID document, then the pages. Each list
/// is kept for fresh_ms, "no answer" for unreachable_ms; one reading per user at a time, at most
/// flights_max in all. A user without document, data server or repository blocks nobody.
class BlockReader final : public Blocks, public std::enable_shared_from_this<BlockReader> {
 public:
  /// `clock` and what `fetch` uses must outlive the last reference.
  BlockReader(BlockReaderOptions options, const Clock& clock, auth::DidFetch fetch);

  void of(const std::string& did, Age age, Done done) override;
  /// Blocks in memory, over all lists.
  std::size_t blocks_kept() const;

 private:
  static constexpr std::int64_t never_ms = std::numeric_limits<std::int64_t>::min();

  struct Known {
    BlockListPtr list;  // null: never read
    std::int64_t asked_ms = never_ms;
    std::int64_t failed_ms = never_ms;  // last reading without an answer since
  };
  struct Waiter {
    Age age = Age::cached;
    Done done;
  };
  struct Flight {
    std::int64_t asked_ms = 0;
    bool started = false;
    std::vector<Waiter> waiters;
    std::vector<Waiter> later;  // asked after it started, for what is true then
    std::string server;
    std::vector<Block> blocks;
    std::size_t pages = 0;
  };

  std::optional<Result<BlockListPtr>> look(const std::string& did, Age age, std::int64_t now);
  bool join(const std::string& did, Age age, Done& done);
  void start_some();
  void start(const std::string& did);
  void got_document(const std::string& did, Result<auth::DidFetchReply> reply);
  void ask_page(const std::string& did, const std::string& cursor);
  void got_page(const std::string& did, Result<auth::DidFetchReply> reply);
  void finish(const std::string& did, Result<std::vector<Block>> outcome);
  BlockListPtr keep(const std::string& did, std::int64_t asked_ms, std::vector<Block> blocks);
  BlockListPtr keep_failure(const std::string& did);
  void make_room(std::size_t blocks);
  void fetch(std::string url, bool operator_url, const std::string& did,
             void (BlockReader::*next)(const std::string&, Result<auth::DidFetchReply>));

  const BlockReaderOptions options_;
  const Clock& clock_;
  const auth::DidFetch fetch_;
  mutable std::mutex mutex_;  // guards all below; nothing is called under it
  auth::LruMap<Known> known_;
  std::size_t kept_ = 0;
  std::unordered_map<std::string, Flight> flights_;
  std::deque<std::string> queue_;  // flights that have not started
  std::size_t under_way_ = 0;
};

}  // namespace catbird::social
