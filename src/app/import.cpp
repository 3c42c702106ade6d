// SPDX-License-Identifier: MIT
#include "app/import.hpp"

#include "core/key_window.hpp"
#include "core/limits.hpp"
#include "mls/parse.hpp"
#include "mls/verify.hpp"
#include "xrpc/key_packages/upload.hpp"
#include "xrpc/shapes.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace catbird::app {

namespace {

using storage::CommitStatus;

constexpr std::size_t convos_at_a_time = 100;
constexpr std::size_t packages_at_a_time = 100;
constexpr std::size_t rows_per_part = 200;
constexpr std::int64_t bytes_per_part = 4LL * 1024 * 1024;

/// Whose requests the marks of an import are: a name that no token can carry.
const core::Did importer{"did:web:import-predecessor.invalid"};
constexpr const char* method = "importPredecessor";
constexpr const char* begun = "begun ";
constexpr const char* done_mark = "done ";

/// Tables that are read here; of all others only the number of rows is told.
constexpr std::array carried{"conversations", "members", "messages", "welcome_messages",
                             "key_packages"};
constexpr std::array needless{
    "users",        "_sqlx_migrations", "cursors",          "idempotency_cache",
    "event_stream", "envelopes",        "pending_welcomes", "auth_jti_nonce"};

std::unexpected<Error> in_the_way(const core::ConvoId& convo, std::string what) {
  return fail(Errc::storage_unavailable, "conversation " + convo.value + ": " + std::move(what));
}

}  // namespace

Result<ImportCounts> Import::run() {
  auto identity = parts_.from.identity();
  if (!identity) return std::unexpected(identity.error());
  source_ = mls::sha256(view_of(*identity));
  auto reader = parts_.to.open_reader();
  if (!reader) return std::unexpected(reader.error());
  reader_ = std::move(*reader);
  auto fence = parts_.to.writer().draw_fence();
  if (!fence) return std::unexpected(fence.error());
  fence_ = *fence;

  std::string after;
  while (true) {
    auto convos = parts_.from.convos(after, convos_at_a_time);
    if (!convos) return std::unexpected(convos.error());
    if (convos->empty()) break;
    for (const auto& old : *convos) {
      if (auto copied = convo(old); !copied) return std::unexpected(copied.error());
    }
    after = convos->back().id;
  }
  if (auto stored = packages(); !stored) return std::unexpected(stored.error());
  if (auto told = tables(); !told) return std::unexpected(told.error());
  return counts_;
}

Result<bool> Import::recorded(const core::ConvoId& convo, const std::string& step) {
  const auto key = core::KeyWindow::request_key(importer, {method, step + convo.value, {}});
  auto found = reader_->find_key(convo, key);
  if (!found) return std::unexpected(found.error());
  if (*found && (*found)->payload != source_) {
    return in_the_way(convo, "was imported from another database");
  }
  return found->has_value();
}

core::Event Import::record(const core::ConvoId& convo, const std::string& step) const {
  return core::RequestRecorded{
      importer, {method, step + convo.value, source_}, {{}, {}, parts_.now(), {}}};
}

Result<void> Import::convo(const storage::OldConvo& old) {
  if (const auto id = xrpc::convo_id(old.id)) {
    auto over = recorded(*id, done_mark);
    if (!over) return std::unexpected(over.error());
    if (*over) {
      ++counts_.already_there;
      return {};
    }
  }
  OldRows rows{.convo = old, .members = {}, .messages = {}, .welcomes = {}};
  auto members = parts_.from.members(old.id);
  if (!members) return std::unexpected(members.error());
  rows.members = std::move(*members);
  auto messages = parts_.from.messages(old.id);
  if (!messages) return std::unexpected(messages.error());
  rows.messages = std::move(*messages);
  auto welcomes = parts_.from.welcomes(old.id);
  if (!welcomes) return std::unexpected(welcomes.error());
  rows.welcomes = std::move(*welcomes);

  auto plan = plan_convo(rows, parts_.now());
  if (!plan) {
    ++counts_.refused;
    parts_.remark("conversation " + old.id + ": not carried: " + plan.error().detail);
    return {};
  }
  auto there = reader_->load(plan->convo);
  if (!there) return std::unexpected(there.error());
  storage::WriteSet next;
  next.convo = plan->convo;
  next.creates = !there->state.exists;
  next.fence = fence_;
  next.epoch = plan->creation_epoch;
  if (there->state.exists) {
    auto ours = recorded(plan->convo, begun);
    if (!ours) return std::unexpected(ours.error());
    if (!*ours) return in_the_way(plan->convo, "is already here, and not from an import");
    next.row = there->row;
    next.seen = there->fence;
    next.version = there->version;
    next.last_seq = there->state.last_seq;
    next.epoch = there->state.epoch;
  }
  for (const auto& remark : plan->remarks) {
    parts_.remark("conversation " + plan->convo.value + ": " + remark);
  }
  return copy(*plan, std::move(next), there->state.last_seq.value);
}

Result<void> Import::copy(const ConvoPlan& plan, storage::WriteSet next, std::size_t done) {
  if (done > plan.rows.size()) return in_the_way(plan.convo, "has more rows here than there");
  if (done != 0) {
    auto last = reader_->seq_of(plan.convo, plan.rows[done - 1].id);
    if (!last) return std::unexpected(last.error());
    if (*last != plan.rows[done - 1].seq) {
      return in_the_way(plan.convo, "the predecessor's rows are not those of the first run");
    }
  }
  while (true) {
    auto set = rows_from(plan, next, done);
    if (!set) return std::unexpected(set.error());
    done = set->new_last_seq.value;
    const bool last = done == plan.rows.size();
    if (last) add_rest(plan, *set);
    auto result = parts_.to.writer().commit({&*set, 1}, {});
    const auto& one = result.sets.front();
    if (one.status != CommitStatus::committed) {
      return in_the_way(plan.convo, one.status == CommitStatus::fenced
                                        ? "is being written by someone else: stop the servers"
                                        : one.error.detail);
    }
    if (last) break;
    next.creates = false;
    next.row = one.row;
    next.seen = fence_;
    next.version = core::Version(next.version.value + 1);
    next.last_seq = set->new_last_seq;
    next.epoch = set->new_epoch;
  }
  ++counts_.convos;
  counts_.members += plan.members.size();
  counts_.messages += plan.rows.size();
  counts_.welcomes += plan.welcomes.size();
  counts_.renumbered += plan.renumbered;
  if (plan.renumbered != 0) ++counts_.convos_renumbered;
  return {};
}

/// `base` with the next rows behind the first `done`.
Result<storage::WriteSet> Import::rows_from(const ConvoPlan& plan, storage::WriteSet base,
                                            std::size_t done) {
  const auto end = std::min(plan.rows.size(), done + rows_per_part);
  std::vector<std::string> places;
  for (auto i = done; i < end; ++i) places.push_back(plan.rows[i].source);
  auto bodies = parts_.from.bodies(places);
  if (!bodies) return std::unexpected(bodies.error());
  base.events.clear();
  base.new_last_seq = base.last_seq;
  base.new_epoch = base.epoch;
  if (base.creates) {
    base.events.emplace_back(core::ConvoCreated{.group_id = plan.group_id,
                                                .creator = plan.creator,
                                                .suite = plan.suite,
                                                .name = plan.name,
                                                .epoch = plan.creation_epoch,
                                                .at = plan.created_at});
    base.events.push_back(record(plan.convo, begun));
  }
  std::int64_t bytes = 0;
  for (auto i = done; i < end && bytes < bytes_per_part; ++i) {
    const auto& row = plan.rows[i];
    auto& body = (*bodies)[i - done];
    bytes += std::ssize(body);
    core::RowAppended event{.seq = row.seq,
                            .epoch = row.epoch,
                            .kind = row.kind,
                            .id = row.id,
                            .tag = {},
                            .committer = {},
                            .base = row.base,
                            .at = row.at,
                            .bytes = make_blob(std::move(body))};
    if (!row.sender.value.empty()) event.tag = parts_.tag(plan.convo, row.sender);
    if (row.kind == core::Kind::commit) event.committer = row.sender;
    base.new_last_seq = row.seq;
    base.new_epoch = row.epoch;
    base.events.emplace_back(std::move(event));
  }
  return base;
}

/// What makes the conversation visible: its members come last, in one write with the mark.
void Import::add_rest(const ConvoPlan& plan, storage::WriteSet& set) const {
  for (const auto& member : plan.members) {
    const bool active = !member.left_seq;
    set.events.emplace_back(
        core::MemberAdded{member.user, active && member.admin, member.join_seq, member.joined_at});
    for (const auto& device : member.devices) {
      set.events.emplace_back(core::DeviceAdded{member.user, device, member.join_seq});
    }
    if (!active) {
      set.events.emplace_back(
          core::MemberLeft{member.user, *member.left_seq, member.left_epoch, member.left_at});
    } else if (member.read_seq > member.join_seq) {
      set.events.emplace_back(core::ReadMarked{member.user, member.read_seq});
    }
  }
  for (const auto& welcome : plan.welcomes) {
    set.events.emplace_back(core::WelcomeStored{
        {make_blob(welcome.bytes), {{welcome.user, welcome.device, welcome.ref}}},
        plan.epoch,
        welcome.at});
  }
  if (!plan.group_info.empty()) {
    set.events.emplace_back(
        core::GroupInfoStored{plan.epoch, parts_.now(), make_blob(plan.group_info)});
  }
  set.events.push_back(record(plan.convo, done_mark));
}

Result<void> Import::packages() {
  std::string after;
  while (true) {
    auto packages = parts_.from.packages(after, packages_at_a_time);
    if (!packages) return std::unexpected(packages.error());
    if (packages->empty()) return {};
    if (auto stored = store(*packages); !stored) return stored;
    after = packages->back().id;
  }
}

Result<void> Import::store(const std::vector<storage::OldPackage>& packages) {
  const auto now = parts_.now();
  std::vector<storage::UserJob> jobs;
  std::vector<std::uint64_t*> counts;
  for (const auto& old : packages) {
    auto refuse = [&](const std::string& why) {
      ++counts_.refused;
      parts_.remark("key package " + old.id + ": " + why);
    };
    const auto owner = old_name(old.owner, old.device);
    if (!owner) {
      refuse("its owner is no DID");
      continue;
    }
    if (!old.consumed && old.expires_at && *old.expires_at <= now) continue;  // of no use to anyone
    auto upload = xrpc::check_package(old.bytes, {owner->user, owner->device}, old.expires_at, now);
    if (!upload && old.consumed) continue;  // nobody can publish it again
    if (!upload) {
      refuse(upload.error().detail.empty() ? "it is not valid" : upload.error().detail);
      continue;
    }
    counts.push_back(old.consumed ? &counts_.used_packages : &counts_.key_packages);
    const bool last_resort = upload->package.last_resort;
    jobs.push_back({[found = std::move(*upload), old, now,
                     last_resort](storage::UserWriter& users) -> Result<void> {
      auto stored =
          old.consumed && !last_resort
              ? users.note_consumed(found.owner, found.package, old.consumed_at.value_or(now))
              : users.publish(found.owner, found.package, old.created_at);
      if (!stored) return std::unexpected(stored.error());
      if (*stored == storage::PublishResult::pool_full) {
        return fail(Errc::conflict, "its device has too many");
      }
      return {};
    }});
  }
  if (jobs.empty()) return {};
  const auto result = parts_.to.writer().commit({}, jobs);
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const auto& job = result.jobs[i];
    if (job.status == CommitStatus::committed) {
      ++*counts[i];
    } else if (job.status == CommitStatus::rejected) {
      ++counts_.refused;
      parts_.remark("a key package: " + job.error.detail);
    } else {
      return std::unexpected(job.error);
    }
  }
  return {};
}

Result<void> Import::tables() {
  auto tables = parts_.from.tables();
  if (!tables) return std::unexpected(tables.error());
  for (const auto& table : *tables) {
    auto is_it = [&table](const char* name) { return table.name == name; };
    const bool known = std::ranges::any_of(carried, is_it) || std::ranges::any_of(needless, is_it);
    if (known || table.rows == 0) continue;
    parts_.remark("table " + table.name + ": " + std::to_string(table.rows) +
                  " rows, for which there is no place here yet");
  }
  return {};
}

}  // namespace catbird::app
