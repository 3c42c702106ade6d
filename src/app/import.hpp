// SPDX-License-Identifier: MIT
#pragma once

#include "app/import_plan.hpp"
#include "base/result.hpp"
#include "core/types.hpp"
#include "storage/stores.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace catbird::app {

struct ImportCounts {
  std::uint64_t convos = 0, members = 0, messages = 0, welcomes = 0, key_packages = 0;
  std::uint64_t used_packages = 0;      // remembered, so that they are never handed out again
  std::uint64_t already_there = 0;      // conversations of an earlier run
  std::uint64_t renumbered = 0;         // messages with another number than before
  std::uint64_t convos_renumbered = 0;  // conversations with any of them
  std::uint64_t refused = 0;            // conversations and key packages that could not be carried
};

/// Copies the predecessor's conversations, members, messages, Welcomes and key packages into an
/// opened store that no server uses meanwhile. A conversation becomes visible to its members with
/// its last part; cut off anywhere, the same call goes on where it was, and what is already there
/// is left alone.
class Import {
 public:
  struct Parts {
    storage::Predecessor& from;
    storage::Stores& to;
    std::function<core::SenderTag(const core::ConvoId&, const core::Did&)> tag;
    std::function<Timestamp()> now;
    /// One line about something that was not carried, or not as it was.
    std::function<void(const std::string&)> remark;
  };
  explicit Import(Parts parts) : parts_(std::move(parts)) {}

  /// Fails when a store fails, or when something stands in the way that no retry removes.
  Result<ImportCounts> run();

 private:
  Result<void> convo(const storage::OldConvo& old);
  Result<void> copy(const ConvoPlan& plan, storage::WriteSet next, std::size_t done);
  Result<storage::WriteSet> rows_from(const ConvoPlan& plan, storage::WriteSet base,
                                      std::size_t done);
  void add_rest(const ConvoPlan& plan, storage::WriteSet& set) const;
  Result<bool> recorded(const core::ConvoId& convo, const std::string& step);
  core::Event record(const core::ConvoId& convo, const std::string& step) const;
  Result<void> packages();
  Result<void> store(const std::vector<storage::OldPackage>& packages);
  Result<void> tables();

  Parts parts_;
  std::unique_ptr<storage::Reader> reader_;
  core::Fence fence_;
  core::Hash source_{};
  ImportCounts counts_;
};

}  // namespace catbird::app
