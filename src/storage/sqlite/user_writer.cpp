// SPDX-License-Identifier: MIT
#include "storage/sqlite/user_writer.hpp"

#include "core/limits.hpp"
#include "storage/sqlite/convo_row.hpp"
#include "storage/sqlite/event_writer.hpp"
#include "storage/sqlite/package_row.hpp"
#include "storage/sqlite/recipient_row.hpp"
#include "storage/tables/conversations.hpp"

#include <utility>

namespace catbird::storage::sqlite {

namespace {

constexpr const char* max_package = "SELECT max(id) FROM key_package";
constexpr const char* select_known =
    "SELECT 1 FROM key_package WHERE hash IN (?1, ?2)"
    " UNION ALL SELECT 1 FROM key_package WHERE ref IN (?1, ?2)";
constexpr const char* count_pool =
    "SELECT count(*) FROM key_package WHERE user=?1 AND suite=?2 AND device=?3"
    " AND state IN ('available', 'reserved') AND not_after>?4";

}  // namespace

Result<PublishResult> SqliteUserWriter::publish(const core::Caller& owner,
                                                const NewKeyPackage& package, Timestamp now) {
  {
    Query known = db_.query(select_known, {package.hash, package.ref});
    auto found = known.next();
    if (!found) return std::unexpected(found.error());
    if (*found) return PublishResult::duplicate;
  }
  {
    Query pool = db_.query(count_pool, {owner.user, package.suite, owner.device, now});
    auto found = pool.next();
    if (!found) return std::unexpected(found.error());
    if (pool.number(0) >= core::key_packages_per_device_max) return PublishResult::pool_full;
  }
  return insert(owner, package, now, std::nullopt);
}

Result<PublishResult> SqliteUserWriter::note_consumed(const core::Caller& owner,
                                                      const NewKeyPackage& package, Timestamp at) {
  Query known = db_.query(select_known, {package.hash, package.ref});
  auto found = known.next();
  if (!found) return std::unexpected(found.error());
  if (*found) return PublishResult::duplicate;
  return insert(owner, names_of(package), at, at);
}

Result<PublishResult> SqliteUserWriter::insert(const core::Caller& owner,
                                               const NewKeyPackage& package, Timestamp now,
                                               std::optional<Timestamp> consumed_at) {
  auto id = next_id(db_, max_package);
  if (!id) return std::unexpected(id.error());
  auto row = new_package_row(owner, package, now, consumed_at);
  row.state.id = *id;
  if (auto done = insert_package(db_, row, package.bytes); !done) {
    return std::unexpected(done.error());
  }
  return PublishResult::stored;
}

Result<std::vector<ReservedKeyPackage>> SqliteUserWriter::reserve(const ReserveQuery& query) {
  auto pool = package_pool(db_, query.target, query.suite, query.now);
  if (!pool) return std::unexpected(pool.error());
  if (query.device) {
    std::erase_if(*pool, [&](const auto& row) { return row.state.device != *query.device; });
  }
  std::vector<PackageState> states;
  for (const auto& row : *pool) states.push_back(row.state);

  std::vector<ReservedKeyPackage> reserved;
  for (const auto& choice : choose_packages(states, query.caller, query.now, query.taken)) {
    auto& row = (*pool)[choice.index];
    auto bytes = package_bytes(db_, row);
    if (!bytes) return std::unexpected(bytes.error());
    if (choice.reserves) {
      row.state.reserved_by = query.caller;
      row.state.reserved_until = reservation_end(query.now, row.state.not_after);
      auto changed = update_package(db_, row);
      if (!changed) return std::unexpected(changed.error());
      if (!*changed) return fail(Errc::internal, "a key package changed under its only writer");
    }
    reserved.push_back({row.user, row.state.device, row.suite, row.hash, row.ref, std::move(*bytes),
                        row.state.last_resort, row.state.id});
  }
  return reserved;
}

Result<std::uint64_t> SqliteUserWriter::revoke(const core::Caller& owner,
                                               const std::optional<std::vector<Bytes>>& only,
                                               Timestamp now) {
  // Also expired ones, which a corrected clock could bring back.
  auto rows = packages_of(db_, live_of(owner));
  if (!rows) return std::unexpected(rows.error());
  std::uint64_t revoked = 0;
  for (const auto& row : *rows) {
    if (!to_revoke(row.hash, row.state, only, now)) continue;
    auto done = use_up_package(db_, row, now);
    if (!done) return std::unexpected(done.error());
    if (*done) ++revoked;
  }
  return revoked;
}

Result<bool> SqliteUserWriter::end_welcome(const core::ConvoId& convo, const core::Caller& device,
                                           Timestamp now, WelcomeEnd end) {
  auto found = find_convo(db_, convo);
  if (!found) return std::unexpected(found.error());
  if (!*found) return false;
  auto rows = recipients_of(db_, (*found)->id, device.user);
  if (!rows) return std::unexpected(rows.error());
  std::vector<WelcomePointer> pointers;
  for (const auto& row : *rows) pointers.push_back(row.pointer);
  const auto chosen = choose_welcome(pointers, device.device, now);
  if (!chosen) return false;
  if (auto done = end_recipient(db_, (*rows)[*chosen], state_of(end)); !done) {
    return std::unexpected(done.error());
  }
  return true;
}

Result<std::optional<PlacedNotice>> SqliteUserWriter::place(const core::ConvoId& convo,
                                                            core::Noted noted) {
  auto found = find_convo(db_, convo);
  if (!found) return std::unexpected(found.error());
  if (!*found) return std::nullopt;
  noted.seq = (*found)->last_seq;
  noted.epoch = (*found)->epoch;
  auto position = next_log_position(db_);
  if (!position) return std::unexpected(position.error());
  auto added = storage::insert(tables_, record_of(*position, convo, noted));
  if (!added) return std::unexpected(added.error());
  if (!*added) return fail(Errc::internal, "a position used twice");
  return PlacedNotice{convo, *position, std::move(noted)};
}

}  // namespace catbird::storage::sqlite
