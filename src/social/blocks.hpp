// SPDX-License-Identifier: MIT
#pragma once

#include "base/result.hpp"
#include "base/time.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

// Whom a user blocks on Bluesky: the records `app.bsky.graph.block` in the user's repository.

namespace catbird::social {

struct Block {
  std::string subject;  // the DID that is blocked
  std::string uri;      // at://… of the record
  Timestamp at;         // as the record says; 1970 if it says nothing readable
};

/// What one user's repository said at one time.
class BlockList {
 public:
  BlockList() = default;
  explicit BlockList(std::vector<Block> blocks);
  /// Null unless the user blocks `subject`.
  const Block* find(std::string_view subject) const;
  std::size_t size() const { return blocks_.size(); }

 private:
  std::vector<Block> blocks_;  // by subject, each once
};
using BlockListPtr = std::shared_ptr<const BlockList>;

enum class Age : std::uint8_t {
  cached,  // at most social::fresh_ms old; while the server is silent, at most stale_ms_max
  now,     // asked for after the call
};

/// Reads block lists. Any thread may call; `done` runs exactly once, at once or later on the
/// fetch's thread.
class Blocks {
 public:
  /// Fails with bluesky_unavailable (no answer, or none that makes sense) or overloaded.
  using Done = std::move_only_function<void(Result<BlockListPtr>)>;
  virtual ~Blocks() = default;
  virtual void of(const std::string& did, Age age, Done done) = 0;
};

}  // namespace catbird::social
