// SPDX-License-Identifier: MIT
#pragma once

#include "http/message.hpp"
#include "realtime/hub.hpp"
#include "storage/reader.hpp"
#include "xrpc/services.hpp"
#include "xrpc/streams/cursor.hpp"
#include "xrpc/streams/feed_format.hpp"
#include "xrpc/streams/feed_look.hpp"

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace catbird::xrpc {

/// Where it starts. Without a cursor: from now.
struct FeedStart {
  std::optional<StreamCursor> cursor;
  std::vector<storage::Window> windows;
};

/// The body of streamConvoEvents and subscribeConvoEvents: exactly the rows and notices after the
/// cursor, in commit order, first out of the store, then live; commits included (L2). Ephemeral
/// messages only live. It reads the store until
/// nothing is left, then takes what the hub has kept since before that read, so nothing falls
/// between; when rows or roster changes may exist that were never published, it goes back to the
/// store. A reader that does not keep up is told and cut (L3); one that leaves the conversation
/// sees the row that removed it and then the end (A2).
///
/// Pulled by the connection. Thread-safe inside: answers come from reader threads, the lane and
/// timers.
class ConvoFeed final : public http::BodySource, public std::enable_shared_from_this<ConvoFeed> {
 public:
  /// The subscription must be older than the windows of `start`; it follows them from here on.
  ConvoFeed(Services& services, FeedScope scope, std::unique_ptr<realtime::Subscription> live,
            FeedStart start, const FeedFormat& format = sse_format());

  /// Why it ended, as the last infoEvent said; empty if the store did not answer.
  std::string end_reason() const;

  void next(std::move_only_function<void(Chunk)> answer) override;
  void cancel() override;

 private:
  enum class Mode : std::uint8_t { starting, replaying, live, ending, ended };
  using Answer = std::move_only_function<void(Chunk)>;

  void begin();
  void began(const Result<std::uint64_t>& newest);
  void replay();
  void replayed(Result<FeedLook> found);
  void learn_locked(const FeedLook& found, std::string& out);
  void take_live();
  bool take_one(const realtime::LogEvent& event, std::string& out);
  void wait_for_news();
  void arm_keepalive_locked();
  void keep_alive(std::uint64_t round);
  void finish();
  Answer claim_locked() { return std::exchange(waiting_, nullptr); }
  bool shows(const FeedItem& item, const FeedEnds& ended) const;
  bool row_is_visible(const core::ConvoId& convo, core::Seq seq) const;
  bool is_for_me(core::NoticeKind kind, const core::Did& user) const;
  bool notice_is_visible(const core::ConvoId& convo, core::Seq seq) const;
  std::string event_text(const storage::Row& row) const;
  std::string notice_text(const storage::NoticeRecord& notice) const;
  std::string whisper_text(const realtime::Whisper& whisper) const;
  std::string info_text(std::string_view reason) const;
  std::string last_words_locked(std::string_view reason);

  Services& services_;
  actors::Executor& own_;  // where this stream's work is posted
  const FeedScope scope_;
  const FeedFormat& format_;
  std::unique_ptr<realtime::Subscription> live_;

  mutable std::mutex mutex_;
  FeedWindows after_;
  FeedEnds ended_;  // as the last look saw it
  std::optional<StreamCursor> cursor_;
  std::uint64_t position_ = 0;  // of the last row sent or passed over
  Mode mode_ = Mode::starting;
  Answer waiting_;          // the connection, if it can take a chunk
  bool caught_up_ = false;  // has been live once: what it misses from here on is its own doing
  bool told_expired_ = false;
  std::string_view end_reason_;
  bool reading_ = false;      // a look at the store is under way
  std::uint64_t round_ = 0;   // of waiting_, so that a timer knows whether it is still the same
  bool timer_armed_ = false;  // at most one, however much happens
};

}  // namespace catbird::xrpc
