// SPDX-License-Identifier: MIT
#pragma once

#include "core/conversation.hpp"
#include "storage/stores.hpp"
#include "support/rows.hpp"
#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

// Every case of the storage contract runs on every backend; a new backend is one line in
// fixture.cpp.

namespace catbird::storage {

/// A store on something that outlives it, so that it can be closed and opened again.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual Stores& stores() = 0;
  /// Readers must be gone.
  virtual void reopen() = 0;
};

struct BackendCase {
  const char* name;
  std::unique_ptr<Backend> (*make)();
};
std::vector<BackendCase> all_backends();
inline std::string case_name(const testing::TestParamInfo<BackendCase>& info) {
  return info.param.name;
}

using test::TempDir;

inline const core::Did alice{"did:plc:alice"};
inline const core::Did bob{"did:plc:bob"};
inline const core::Did carol{"did:plc:carol"};
inline constexpr Timestamp start{1'700'000'000'000};
inline constexpr std::int64_t minute_ms = 60'000;
inline constexpr std::int64_t day_ms = 24LL * 3600 * 1000;
inline Timestamp after(std::int64_t ms) { return Timestamp(start.value + ms); }

inline Blob blob(const std::string& text) { return make_blob(Bytes(text.begin(), text.end())); }
inline std::string text(const Blob& bytes) { return std::string(text_of(*bytes)); }
/// 32 bytes that `text` fills.
Bytes id32(const std::string& text);
core::SenderTag tag_of(const core::Did& user);

/// One conversation as its only writer knows it: makes write sets and follows what they do.
class Script {
 public:
  explicit Script(std::string id, core::Fence fence = core::Fence(1));

  /// alice (admin) and the others.
  WriteSet create(std::vector<core::Did> others = {bob}, core::Epoch epoch = core::Epoch(0));
  WriteSet set(std::vector<core::Event> events) const;
  WriteSet message(const std::string& id, const core::Did& sender = alice,
                   const std::string& body = "hello") const;
  WriteSet commit(const std::string& id, std::vector<core::Event> more = {}) const;
  core::Event row(core::Kind kind, const std::string& id, const core::Did& sender = alice,
                  const std::string& body = "hello") const;
  /// The set is decided: the next one stands on it.
  void follow(const WriteSet& set);
  void note(const WriteResult& result) { row_ = result.row; }

  core::ConvoId id;
  core::Fence fence;
  core::Fence seen;
  core::Version version;
  core::Seq last_seq;
  core::Epoch epoch;

 private:
  RowHandle row_ = 0;
};

class StorageContract : public testing::TestWithParam<BackendCase> {
 protected:
  void SetUp() override { backend_ = GetParam().make(); }

  Stores& stores() { return backend_->stores(); }
  ConvoStore& writer() { return stores().writer(); }
  Reader& reader();
  void reopen();

  BatchResult commit(const std::vector<WriteSet>& sets, const std::vector<UserJob>& jobs = {}) {
    return writer().commit(sets, jobs);
  }
  /// Commits one set that must be accepted, and follows it.
  WriteResult write(Script& script, const WriteSet& set);
  /// Runs one job and gives what it gave.
  template <class T>
  Result<T> run(std::function<Result<T>(UserWriter&)> work) {
    Result<T> out = fail(Errc::internal, "not run");
    const UserJob job{[&](UserWriter& users) -> Result<void> {
      out = work(users);
      if (!out) return std::unexpected(out.error());
      return {};
    }};
    auto result = commit({}, {job});
    EXPECT_EQ(result.jobs.size(), 1U);
    return out;
  }
  std::vector<Row> rows(const Script& script) {
    return *test::rows_of(reader().page({.convo = script.id,
                                         .after = core::Seq(0),
                                         .until = core::Seq(UINT64_MAX),
                                         .rows_max = 1000,
                                         .bytes_max = 0}));
  }
  std::vector<std::string> ids(const std::vector<Row>& rows);

 private:
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Reader> reader_;
};

}  // namespace catbird::storage
