// SPDX-License-Identifier: MIT
#include "xrpc/streams/convo_feed.hpp"

#include "base/mutant.hpp"
#include "xrpc/shapes.hpp"

#include <functional>
#include <utility>

namespace catbird::xrpc {

namespace {

constexpr std::size_t replay_rows_max = 200;
constexpr std::size_t replay_bytes_max = 1024 * 1024;

// Any spread will do; streams of one user need not share a worker.
actors::Executor& pick(const std::vector<actors::Executor*>& workers, const core::Did& user) {
  return *workers[std::hash<std::string>{}(user.value) % workers.size()];
}

}  // namespace

ConvoFeed::ConvoFeed(Services& services, FeedScope scope,
                     std::unique_ptr<realtime::Subscription> live, FeedStart start,
                     const FeedFormat& format)
    : services_(services),
      own_(pick(services.workers, scope.user)),
      scope_(std::move(scope)),
      format_(format),
      live_(std::move(live)),
      cursor_(std::move(start.cursor)) {
  std::vector<realtime::Membership> memberships;
  for (const auto& window : start.windows) {
    after_[window.convo.value] = window.after;
    memberships.push_back({window.convo, window.after});
  }
  services_.hub.follow(*live_, memberships);
}

void ConvoFeed::next(std::move_only_function<void(Chunk)> answer) {
  Mode mode{};
  {
    const std::lock_guard lock(mutex_);
    waiting_ = std::move(answer);
    ++round_;
    mode = mode_;
  }
  switch (mode) {
    case Mode::starting:
      begin();
      break;
    case Mode::replaying:
      replay();
      break;
    case Mode::live:
      take_live();
      break;
    case Mode::ending:
    case Mode::ended:
      finish();
      break;
  }
}

void ConvoFeed::cancel() {
  const std::lock_guard lock(mutex_);
  mode_ = Mode::ended;
  waiting_ = nullptr;
  live_.reset();
}

void ConvoFeed::begin() {
  services_.readers.run([self = shared_from_this()](storage::Reader& reader) {
    self->began(reader.last_position());
  });
}

void ConvoFeed::began(const Result<std::uint64_t>& newest) {
  if (!newest) {
    finish();
    return;
  }
  std::string first = format_.hello();
  Answer waiting;
  {
    const std::lock_guard lock(mutex_);
    if (mode_ != Mode::starting) return;
    mode_ = Mode::replaying;
    position_ = *newest;
    if (cursor_) {
      // Too old, from the future or of another log: said first, then from now (DECISIONS 16).
      if (cursor_->incarnation != services_.settings.incarnation) {
        first += info_text("outdated-cursor");
      } else if (cursor_->position > *newest) {
        first += info_text("future-cursor");
      } else {
        if (!mutant("stream_starts_from_now")) position_ = cursor_->position;
      }
    }
    waiting = claim_locked();
  }
  if (waiting) waiting(std::move(first));
}

void ConvoFeed::replay() {
  storage::LogQuery query;
  FeedWindows known;
  std::string cut;
  Answer waiting;
  {
    const std::lock_guard lock(mutex_);
    if (reading_ || mode_ != Mode::replaying) return;
    if (caught_up_ && waiting_ && live_->overflowed()) {
      cut = last_words_locked("slow-consumer");  // told and cut, as in take_live()
      mode_ = Mode::ending;
      waiting = claim_locked();
    } else {
      reading_ = true;
      known = after_;
      query.after = position_;
    }
  }
  if (waiting) {
    waiting(std::move(cut));
    return;
  }
  query.rows_max = replay_rows_max;
  query.bytes_max = replay_bytes_max;
  services_.readers.run([self = shared_from_this(), query = std::move(query),
                         known = std::move(known)](storage::Reader& reader) {
    self->replayed(look_at_log(reader, self->scope_, query, known));
  });
}

void ConvoFeed::replayed(Result<FeedLook> found) {
  if (!found) {
    finish();  // the client comes back with its cursor
    return;
  }
  std::string out;
  Answer waiting;
  Mode mode{};
  {
    const std::lock_guard lock(mutex_);
    reading_ = false;
    if (mode_ != Mode::replaying) return;
    learn_locked(*found, out);
    mode = mode_;
    if (!out.empty()) waiting = claim_locked();
  }
  if (waiting) {
    waiting(std::move(out));
  } else if (mode == Mode::live) {
    take_live();
  } else {
    replay();
  }
}

void ConvoFeed::learn_locked(const FeedLook& found, std::string& out) {
  std::vector<realtime::Membership> joined;
  for (const auto& window : found.joined) {
    after_.insert_or_assign(window.convo.value, window.after);
    joined.push_back({window.convo, window.after});
  }
  if (!joined.empty()) services_.hub.follow(*live_, joined);
  for (const auto& item : found.items) {
    position_ = std::visit([](const auto& one) { return one.position; }, item);
    if (!shows(item, found.ended)) continue;
    if (const auto* notice = std::get_if<storage::NoticeRecord>(&item)) {
      out += notice_text(*notice);
    } else if (const auto& row = std::get<storage::Row>(item); !row.expired()) {
      out += event_text(row);
    } else if (!std::exchange(told_expired_, true)) {
      out += info_text("messages-expired");  // once: getMessages names each conversation's firstSeq
    }
  }
  // A second look must confirm what changed: it sees all rows up to an end that the first one saw,
  // and those of a joined conversation that came before the hub knew.
  const bool confirmed = found.joined.empty() && found.ended == ended_;
  ended_ = found.ended;
  if (!found.items.empty() || !confirmed) return;
  mode_ = Mode::live;
  caught_up_ = true;
  for (const auto& [convo, until] : found.ended) after_.erase(convo);
  ended_.clear();
  if (scope_.only && after_.empty()) {
    out += last_words_locked("removed");
    mode_ = Mode::ending;
  }
}

void ConvoFeed::take_live() {
  std::string out;
  Answer waiting;
  Mode mode{};
  {
    const std::lock_guard lock(mutex_);
    if (!live_ || !waiting_ || mode_ != Mode::live) return;
    auto news = live_->take();
    if (!news.ended.empty()) {
      out = last_words_locked(news.ended);
      mode_ = Mode::ending;
      news.events.clear();
    } else if (news.overflowed) {
      // Told and cut, never skipped: the cursor says where to go on (L3).
      out = last_words_locked("slow-consumer");
      mode_ = Mode::ending;
    }
    if (news.low_stock && mode_ == Mode::live) out += info_text("keyPackagesLow");
    const bool hint = !news.events.empty() && !services_.live_is_complete();
    if ((news.resync || hint) && mode_ == Mode::live) {
      // Something was never published; what was is in the store too, and in order there.
      mode_ = Mode::replaying;
      // But not what was never written.
      std::erase_if(news.events, [](const realtime::LogEvent& event) {
        return !std::holds_alternative<realtime::Whisper>(event);
      });
    }
    for (const auto& event : news.events) {
      if (take_one(event, out)) continue;
      mode_ = Mode::ending;
      break;
    }
    mode = mode_;
    if (!out.empty()) waiting = claim_locked();
  }
  if (waiting) {
    waiting(std::move(out));
  } else if (mode == Mode::ending) {
    finish();
  } else if (mode == Mode::replaying) {
    replay();
  } else {
    wait_for_news();
  }
}

// False when the stream is over.
bool ConvoFeed::take_one(const realtime::LogEvent& event, std::string& out) {
  if (const auto* change = std::get_if<realtime::RosterChange>(&event)) {
    const auto it = after_.find(change->convo.value);
    // Older than the membership the store told of: the user has come back since.
    if (it != after_.end() && change->seq < it->second) return true;
    if (change->joined) {
      after_.insert_or_assign(change->convo.value, change->seq);
      return true;
    }
    if (mutant("stream_outlives_membership")) return true;
    after_.erase(change->convo.value);
    if (!scope_.only) return true;
    out += last_words_locked("removed");
    return false;
  }
  if (const auto* whisper = std::get_if<realtime::Whisper>(&event)) {
    if (after_.contains(whisper->convo.value)) out += whisper_text(*whisper);
    return true;
  }
  if (const auto* notice = std::get_if<realtime::LiveNotice>(&event)) {
    if (notice->position <= position_) return true;
    position_ = notice->position;
    if (is_for_me(notice->noted.kind, notice->noted.user) &&
        notice_is_visible(notice->convo, notice->noted.seq)) {
      out += notice_text(storage::record_of(notice->position, notice->convo, notice->noted));
    }
    return true;
  }
  const auto& live = std::get<realtime::LiveRow>(event);
  if (live.position <= position_) return true;  // already came out of the store
  position_ = live.position;
  if (!row_is_visible(live.convo, live.seq)) return true;
  out += event_text({.convo = live.convo,
                     .position = live.position,
                     .seq = live.seq,
                     .epoch = live.epoch,
                     .kind = live.kind,
                     .id = live.id,
                     .committer = {},
                     .at = live.at,
                     .bytes = live.bytes});
  return true;
}

void ConvoFeed::wait_for_news() {
  const std::lock_guard lock(mutex_);
  if (!live_ || !waiting_) return;
  arm_keepalive_locked();
  live_->wait([weak = weak_from_this(), &own = own_] {
    // Called on the lane's thread, or from wait() itself: never do the work there.
    own.post([weak] {
      if (auto self = weak.lock()) self->take_live();
    });
  });
}

void ConvoFeed::arm_keepalive_locked() {
  if (std::exchange(timer_armed_, true)) return;
  own_.post_after(services_.settings.stream_keepalive, [weak = weak_from_this(), round = round_] {
    if (auto self = weak.lock()) self->keep_alive(round);
  });
}

// Between one and two intervals after the last chunk.
void ConvoFeed::keep_alive(std::uint64_t round) {
  Answer waiting;
  {
    const std::lock_guard lock(mutex_);
    timer_armed_ = false;
    if (mode_ != Mode::live || !waiting_) return;
    if (round != round_) {
      arm_keepalive_locked();
      return;
    }
    waiting = claim_locked();
  }
  if (waiting) waiting(format_.keepalive());
}

void ConvoFeed::finish() {
  Answer waiting;
  {
    const std::lock_guard lock(mutex_);
    mode_ = Mode::ended;
    live_.reset();
    waiting = claim_locked();
  }
  if (waiting) waiting(std::nullopt);
}

bool ConvoFeed::row_is_visible(const core::ConvoId& convo, core::Seq seq) const {
  auto it = after_.find(convo.value);
  return it != after_.end() && seq > it->second;
}

bool ConvoFeed::is_for_me(core::NoticeKind kind, const core::Did& user) const {
  return !core::is_private(kind) || user == scope_.user;
}

// Who comes in hears that it did, though it reads only later rows.
bool ConvoFeed::notice_is_visible(const core::ConvoId& convo, core::Seq seq) const {
  auto it = after_.find(convo.value);
  return it != after_.end() && seq >= it->second;
}

bool ConvoFeed::shows(const FeedItem& item, const FeedEnds& ended) const {
  const auto* row = std::get_if<storage::Row>(&item);
  const auto& convo = row != nullptr ? row->convo : std::get<storage::NoticeRecord>(item).convo;
  const auto end = ended.find(convo.value);
  if (row != nullptr) {
    const bool outside =
        end != ended.end() && (row->seq <= end->second.after || row->seq > end->second.seq);
    return !outside && row_is_visible(convo, row->seq);
  }
  const auto& notice = std::get<storage::NoticeRecord>(item);
  const bool outside = end != ended.end() &&
                       (notice.seq < end->second.after || notice.position > end->second.position);
  return !outside && is_for_me(notice.kind, notice.user) && notice_is_visible(convo, notice.seq);
}

std::string ConvoFeed::end_reason() const {
  const std::lock_guard lock(mutex_);
  return std::string(end_reason_);
}

std::string ConvoFeed::event_text(const storage::Row& row) const {
  return format_.message(row, encode_cursor({services_.settings.incarnation, row.position}));
}

std::string ConvoFeed::notice_text(const storage::NoticeRecord& notice) const {
  return format_.notice(notice, encode_cursor({services_.settings.incarnation, notice.position}));
}

std::string ConvoFeed::whisper_text(const realtime::Whisper& whisper) const {
  const storage::Row row{.convo = whisper.convo,
                         .position = position_,
                         .seq = whisper.seq,
                         .epoch = whisper.epoch,
                         .kind = core::Kind::app,
                         .id = whisper.id,
                         .committer = {},
                         .at = whisper.at,
                         .bytes = whisper.bytes};
  return format_.whisper(row, encode_cursor({services_.settings.incarnation, position_}));
}

std::string ConvoFeed::info_text(std::string_view reason) const {
  return format_.info(reason, encode_cursor({services_.settings.incarnation, position_}));
}

// The last thing a stream says; `reason` is a literal.
std::string ConvoFeed::last_words_locked(std::string_view reason) {
  end_reason_ = reason;
  return info_text(reason);
}

}  // namespace catbird::xrpc
