// SPDX-License-Identifier: MIT
#pragma once

#include "base/result.hpp"
#include "core/snapshot.hpp"
#include "storage/convo_store.hpp"
#include "storage/table.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

// The read side. Calls block, and only reader threads make them, each with its own Reader. Every
// call sees a snapshot that includes all that was durable when it began. Any of them may fail with
// storage_unavailable, or storage_corrupt for a row whose checksum does not match.

namespace catbird::storage {

struct Loaded {
  core::Snapshot state;
  RowHandle row = 0;
  core::Fence fence;
  core::Version version;
};

struct Row {
  core::ConvoId convo;
  std::uint64_t position = 0;  // store-wide, in commit order
  core::Seq seq;
  core::Epoch epoch;
  core::Kind kind = core::Kind::app;
  core::MsgId id;
  core::Did committer;  // commits only
  Timestamp at;
  Blob bytes;  // empty: expired
  bool expired() const { return bytes->empty(); }
};

/// Rows r with after < r.seq <= until, ascending, without those that have expired.
struct PageQuery {
  core::ConvoId convo;
  core::Seq after;
  core::Seq until;
  std::size_t rows_max = 50;
  std::size_t bytes_max = 0;  // the first row is always given
};
struct Page {
  std::vector<Row> rows;
  /// From here on every row can be read; of those before only the commits (O3).
  core::Seq first_seq{1};
};
struct CommitQuery {
  core::ConvoId convo;
  core::Epoch from, to;    // of the epoch led to, inclusive
  core::Seq after, until;  // the reader's window
  std::size_t bytes_max = 0;
};
/// The log across conversations, for streams: rows with position > after of the given
/// conversations, ascending by position, expired ones too.
struct LogQuery {
  std::vector<core::ConvoId> convos;
  std::uint64_t after = 0;
  std::size_t rows_max = 0;
  std::size_t bytes_max = 0;
};

struct MemberView {
  core::Did user;
  bool admin = false;
  Timestamp joined_at;
  std::optional<Timestamp> promoted_at;
  std::vector<core::DeviceId> devices;
  bool moderator = false;  // by whoever asks for the view, see getConvos
};
struct ConvoView {
  core::ConvoId id;
  Bytes group_id;
  core::Did creator;
  std::uint16_t suite = 0;
  std::string name;
  core::Epoch epoch;
  Timestamp created_at;
  std::optional<Timestamp> last_message_at;
  std::vector<MemberView> members;  // active ones
  std::uint64_t unread = 0;         // U1, DECISIONS 5
};
/// Conversations in which `user` is active, in a stable order. `after` continues a listing.
struct ConvoQuery {
  core::Did user;
  std::optional<core::ConvoId> after;
  std::size_t rows_max = 0;   // 0: all
  std::size_t bytes_max = 0;  // estimate of the JSON; 0: unlimited
  /// Sender tag of `user` in a conversation, for unread.
  std::function<core::SenderTag(const core::ConvoId&)> tag;
};
struct ConvoPage {
  std::vector<ConvoView> convos;
  bool more = false;
};

struct GroupInfoView {
  Blob bytes;
  core::Epoch epoch;
  Timestamp at;
};
struct WelcomeView {
  Blob bytes;
  core::Epoch epoch;
};

struct KeyPackageFacts {
  Bytes ref;
  Bytes hash;  // SHA-256 of the uploaded bytes
  core::Did user;
  core::DeviceId device;
  std::uint16_t suite = 0;
  bool last_resort = false;
  bool consumed = false;
  std::optional<core::Did> reserved_by;  // a live reservation at `now`
};
struct SuiteStats {
  std::uint16_t suite = 0;
  std::uint64_t available = 0, reserved = 0, consumed = 0, total = 0;
  std::uint64_t consumed_24h = 0, consumed_7d = 0;
  std::optional<Timestamp> oldest_expiry;  // of an available one
};

/// A user's own packages, the newest first: those it may still be added with (also reserved ones,
/// not expired at `now`), or those that are used up.
struct PackageQuery {
  core::Did user;
  std::optional<core::DeviceId> device;
  bool used = false;
  std::optional<std::int64_t> below;  // continues a listing: PackageView::id of its last
  std::size_t rows_max = 0;           // 0: all
  Timestamp now;
};
struct PackageView {
  std::int64_t id = 0;  // in order of publication
  Bytes hash;           // SHA-256 of the uploaded bytes
  core::DeviceId device;
  std::uint16_t suite = 0;
  bool last_resort = false;
  bool reserved = false;  // at `now`
  Timestamp published_at;
  std::optional<Timestamp> consumed_at;
};

/// Rows of `convo` with seq > `after` are readable.
struct Window {
  core::ConvoId convo;
  core::Seq after;
};

/// Who wrote a conversation last, and how often it was written: what an answer from memory must
/// still find true where other processes write the same store (DECISIONS 7).
struct Standing {
  core::ConvoId convo;
  core::Fence fence;
  core::Version version;
};

class Reader {
 public:
  virtual ~Reader() = default;
  virtual TableReader& tables() = 0;
  /// A conversation that does not exist loads with state.exists == false.
  virtual Result<Loaded> load(const core::ConvoId& convo) = 0;
  /// The newest keys, newest first; `complete` iff these are all of the conversation's.
  struct Keys {
    std::vector<core::KnownKey> keys;
    bool complete = false;
  };
  virtual Result<Keys> load_keys(const core::ConvoId& convo, std::size_t max) = 0;
  /// A key by its KeyWindow name: message keys are looked up in `convo`, request keys everywhere.
  virtual Result<std::optional<core::KnownKey>> find_key(const core::ConvoId& convo,
                                                         const std::string& key) = 0;

  virtual Result<Page> page(const PageQuery& query) = 0;
  virtual Result<std::vector<Row>> commits(const CommitQuery& query) = 0;
  virtual Result<std::vector<Row>> log(const LogQuery& query) = 0;
  /// The newest position, 0 for an empty store.
  virtual Result<std::uint64_t> last_position() = 0;
  /// seq of a row by its id (msgId); nothing if there is none.
  virtual Result<std::optional<core::Seq>> seq_of(const core::ConvoId& convo,
                                                  const core::MsgId& id) = 0;
  virtual Result<ConvoPage> convos(const ConvoQuery& query) = 0;
  /// All conversations in which `user` is active, with its join_seq (rows after it are readable),
  /// for streams. (Replaces convo_ids.)
  virtual Result<std::vector<Window>> windows(const core::Did& user) = 0;
  virtual Result<std::optional<GroupInfoView>> group_info(const core::ConvoId& convo) = 0;
  /// The pending Welcome of this device (or of the whole user, if it was addressed so): neither
  /// confirmed, superseded nor older than welcome_life_ms at `now`.
  virtual Result<std::optional<WelcomeView>> welcome(const core::ConvoId& convo,
                                                     const core::Caller& device, Timestamp now) = 0;
  /// By KeyPackageRef or by SHA-256 of the upload; unknown ones are left out.
  virtual Result<std::vector<KeyPackageFacts>> find_key_packages(const std::vector<Bytes>& ids,
                                                                 Timestamp now) = 0;
  virtual Result<std::vector<SuiteStats>> key_package_stats(const core::Did& user,
                                                            Timestamp now) = 0;
  virtual Result<std::vector<PackageView>> packages(const PackageQuery& query) = 0;
  /// One read for all of them; conversations that do not exist are left out.
  virtual Result<std::vector<Standing>> standings(std::span<const core::ConvoId> convos) = 0;
  /// A cheap round trip for /health.
  virtual Result<void> ping() = 0;
};

}  // namespace catbird::storage
