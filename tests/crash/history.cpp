// SPDX-License-Identifier: MIT
#include "crash/history.hpp"

#include "contract/storage/describe.hpp"
#include "core/limits.hpp"
#include "storage/checksum.hpp"
#include "support/rows.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace catbird::crash {

namespace {

const core::Did alice{"did:plc:alice"};
const std::vector<core::Did> users = {alice, core::Did("did:plc:bob"), core::Did("did:plc:carol"),
                                      core::Did("did:plc:dave")};
const core::DeviceId phone{"phone"};
constexpr std::int64_t start = 1'700'000'000'000;
constexpr std::int64_t day_ms = 24LL * 3600 * 1000;
constexpr std::uint16_t suite = 1;
constexpr std::size_t all_rows = 1'000'000;

Bytes id32(const std::string& text) {
  Bytes bytes(text.begin(), text.end());
  bytes.resize(32, 0);
  return bytes;
}

core::SenderTag tag_of(const core::Did& user) {
  core::SenderTag tag{};
  std::ranges::copy_n(user.value.rbegin(), std::min<std::ptrdiff_t>(16, std::ssize(user.value)),
                      tag.begin());
  return tag;
}

Bytes ref_of(std::uint64_t name) { return id32("ref " + std::to_string(name)); }

/// Long bytes by their checksum: a text is kept for every batch.
Blob brief(const Blob& bytes) {
  const auto sum = std::to_string(storage::sum_of(*bytes));
  return make_blob(Bytes(sum.begin(), sum.end()));
}

std::string told(const Error& error) { return "ERROR " + error.detail + "\n"; }
template <class T>
std::string told(const Result<T>& result) {
  return result ? storage::describe(*result) + "\n" : told(result.error());
}

std::string told(Result<std::vector<storage::Row>> rows) {
  if (!rows) return told(rows.error());
  for (auto& row : *rows) row.bytes = brief(row.bytes);
  return storage::describe(*rows);
}

std::string told(Result<std::optional<storage::GroupInfoView>> info) {
  if (info && *info) (*info)->bytes = brief((*info)->bytes);
  return info ? storage::describe(*info) + "\n" : told(info.error());
}

std::string told_convo(storage::Reader& reader, const core::ConvoId& id) {
  auto loaded = reader.load(id);
  if (!loaded) return told(loaded.error());
  std::string text = storage::describe(loaded->state) + std::to_string(loaded->fence.value) + " " +
                     std::to_string(loaded->version.value) + "\n";
  text += told(reader.load_keys(id, core::key_window_max));
  text += told(test::rows_of(reader.page({id, core::Seq(0), core::Seq(UINT64_MAX), all_rows, 0})));
  text += told(reader.commits(
      {id, core::Epoch(1), core::Epoch(all_rows), core::Seq(0), core::Seq(UINT64_MAX), 0}));
  text += told(reader.group_info(id));
  for (const auto& user : users) {
    for (const auto& device : {core::DeviceId(""), phone}) {
      text += told(reader.welcome(id, {user, device}, Timestamp(start)));
    }
  }
  return text;
}

core::ConvoId convo_named(const char* text) { return core::ConvoId(text); }

}  // namespace

History::History(std::uint64_t seed) : random_(seed) {
  world_.now = start;
  for (const auto* text : {"c1", "c2", "c3"}) {
    const auto id = convo_named(text);
    world_.convos[id].state = core::Conversation();
  }
  open_oracle();
  worlds_.push_back(world_);
  texts_.push_back(text_of(*reader_));
}

void History::open_oracle() {
  reader_.reset();
  oracle_.reset();
  disk_ = std::make_unique<storage::MemoryDisk>();
  oracle_ = storage::open_memory(*disk_);
  reader_ = std::move(*oracle_->open_reader());
}

std::string History::text_of(storage::Reader& reader) const {
  std::string text;
  for (const auto& [id, _] : world_.convos) text += told_convo(reader, id);
  for (const auto& user : users) {
    storage::ConvoQuery query;
    query.user = user;
    query.tag = [&](const core::ConvoId&) { return tag_of(user); };
    text += told(reader.convos(query));
    text += told(reader.windows(user));
    text += told(reader.key_package_stats(user, Timestamp(start)));
  }
  std::vector<Bytes> refs;  // those that do not exist yet are left out of the answer
  for (std::uint64_t name = 1; name <= world_.names; ++name) refs.push_back(ref_of(name));
  text += told(reader.find_key_packages(refs, Timestamp(start)));
  const auto last = reader.last_position();
  return text + (last ? std::to_string(*last) : told(last.error()));
}

const Batch& History::add(core::Fence fence, Shape shape) {
  Batch batch;
  auto ahead = world_.convos;
  world_.now += static_cast<std::int64_t>(pick(60'000));
  const auto sets = shape == Shape::batch ? pick(4) : shape == Shape::one_set ? 1 : 0;
  for (std::uint64_t i = 0; i < sets; ++i) add_set(batch, ahead, fence);
  const bool wants_job = batch.sets.empty() || pick(3) == 0;
  if (shape == Shape::one_job || (shape == Shape::batch && wants_job)) add_job(batch);
  apply(batch);
  batches_.push_back(std::move(batch));
  worlds_.push_back(world_);
  texts_.push_back(text_of(*reader_));
  return batches_.back();
}

void History::apply(const Batch& batch) {
  const auto result = oracle_->writer().commit(batch.sets, batch.jobs);
  for (std::size_t i = 0; i < batch.sets.size(); ++i) {
    if (result.sets[i].status != storage::CommitStatus::committed) continue;
    const auto& set = batch.sets[i];
    auto& convo = world_.convos.at(set.convo);
    for (const auto& event : set.events) convo.state.apply(event);
    convo.seen = set.fence;
    convo.version = core::Version(set.version.value + 1);
  }
}

void History::rewind(std::size_t batches) {
  batches_.resize(batches);
  worlds_.resize(batches + 1);
  texts_.resize(batches + 1);
  const auto names = world_.names;  // never again, or a retry would not be told from a new request
  world_ = worlds_.back();
  world_.names = names;
  open_oracle();
  for (const auto& batch : batches_) oracle_->writer().commit(batch.sets, batch.jobs);
}

Blob History::blob(std::size_t bytes_max) {
  Bytes bytes(1 + pick(bytes_max));
  std::ranges::generate(bytes, [this] { return static_cast<std::uint8_t>(random_()); });
  return make_blob(std::move(bytes));
}

core::MsgId History::fresh_id() { return core::MsgId("m" + std::to_string(++world_.names)); }

core::GroupParts History::parts(const core::Conversation& convo,
                                const std::vector<core::Did>& joiners) {
  core::GroupParts out;
  const auto next = convo.exists() ? convo.epoch().value + 1 : 1;
  if (convo.exists()) {
    out.commit = core::CommitPart{blob(3000), convo.state().group_id, convo.epoch()};
    out.group_info = core::GroupInfoPart{blob(60'000), convo.state().group_id, core::Epoch(next)};
  }
  if (joiners.empty()) return out;
  core::WelcomePart welcome{blob(2000), {}};
  for (const auto& user : joiners) {
    const auto mine = std::ranges::find(world_.reserved, user, &Reserved::target);
    if (mine == world_.reserved.end()) {
      welcome.recipients.push_back({user, phone, {}});
      continue;
    }
    welcome.recipients.push_back({user, phone, mine->ref});
    out.key_packages.push_back({mine->ref, true});
    world_.reserved.erase(mine);
  }
  out.welcome = std::move(welcome);
  return out;
}

core::Command History::command(const core::ConvoId& id, const core::Conversation& convo) {
  static constexpr std::array<std::size_t, 4> sizes = {60, 900, 9000, 40'000};
  core::Command command;
  command.caller = {alice, phone};
  const auto other = users[1 + pick(users.size() - 1)];
  if (pick(3) != 0) command.key = core::RequestKey{"method", fresh_id().value, {}};
  if (!convo.exists()) {
    command.what = core::CreateConvo{id32(id.value), suite,          "name",
                                     {other},        core::Epoch(1), parts(convo, {other})};
  } else {
    switch (pick(10)) {
      case 0:
      case 1:
        command.what = core::AddMembers{{other}, parts(convo, {other})};
        break;
      case 2:
        command.what = core::RemoveMembers{{other}, parts(convo, {})};
        break;
      case 3:
        command.what = core::AddMembers{{}, parts(convo, {})};
        break;
      case 4:
        command.what = core::UpdateGroupInfo{{blob(60'000), convo.state().group_id, convo.epoch()}};
        break;
      case 5:
        command.what = core::MarkRead{core::Seq(pick(convo.last_seq().value + 1))};
        break;
      default:
        command.caller = {users[pick(users.size())], phone};
        command.what = core::SendMessage{fresh_id(), core::Kind::app, convo.state().group_id,
                                         convo.epoch(), blob(sizes.at(pick(sizes.size())))};
    }
  }
  command.tag = tag_of(command.caller.user);
  return command;
}

void History::add_set(Batch& batch, std::map<core::ConvoId, Convo>& ahead, core::Fence fence) {
  auto& [id, convo] = *std::next(ahead.begin(), static_cast<std::ptrdiff_t>(pick(ahead.size())));
  const auto decision = convo.state.decide(command(id, convo.state), Timestamp(world_.now));
  if (!decision || decision->events.empty()) return;
  storage::WriteSet set;
  set.convo = id;
  set.creates = !convo.state.exists();
  set.seen = convo.seen;
  set.fence = fence;
  set.version = convo.version;
  set.last_seq = convo.state.last_seq();
  set.epoch = set.creates ? core::Epoch(1) : convo.state.epoch();
  set.events = decision->events;
  for (const auto& event : set.events) convo.state.apply(event);
  set.new_last_seq = convo.state.last_seq();
  set.new_epoch = convo.state.epoch();
  convo.seen = fence;
  convo.version = core::Version(set.version.value + 1);
  batch.sets.push_back(std::move(set));
}

void History::add_job(Batch& batch) {
  const auto now = Timestamp(world_.now);
  const auto user = users[1 + pick(users.size() - 1)];
  const core::Caller owner{user, phone};
  const auto choice = pick(4);
  if (choice < 2) {
    const auto name = ++world_.names;
    const storage::NewKeyPackage package{
        ref_of(name), id32("hash " + std::to_string(name)), suite,
        pick(8) == 0, Timestamp(world_.now + 30 * day_ms),  Bytes(100 + pick(2000), 7)};
    batch.jobs.push_back({[=](storage::UserWriter& writer) -> Result<void> {
      auto done = writer.publish(owner, package, now);
      if (!done) return std::unexpected(done.error());
      return {};
    }});
  } else if (choice == 2) {
    // What is reserved is learned from the oracle; the store must choose the same.
    const storage::ReserveQuery query{alice, user, std::nullopt, suite, now};
    const storage::UserJob ask{[&](storage::UserWriter& writer) -> Result<void> {
      auto done = writer.reserve(query);
      if (!done) return std::unexpected(done.error());
      for (const auto& one : *done) world_.reserved.push_back({user, one.ref});
      return fail(Errc::retry, "only asked");
    }};
    (void)oracle_->writer().commit({}, std::span(&ask, 1));
    batch.jobs.push_back({[=](storage::UserWriter& writer) -> Result<void> {
      auto done = writer.reserve(query);
      if (!done) return std::unexpected(done.error());
      return {};
    }});
  } else {
    const auto convo =
        std::next(world_.convos.begin(), static_cast<std::ptrdiff_t>(pick(3)))->first;
    batch.jobs.push_back({[=](storage::UserWriter& writer) -> Result<void> {
      auto done = writer.confirm_welcome(convo, owner, now);
      if (!done) return std::unexpected(done.error());
      return {};
    }});
  }
}

}  // namespace catbird::crash
