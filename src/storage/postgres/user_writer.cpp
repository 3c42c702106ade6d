// SPDX-License-Identifier: MIT
#include "storage/postgres/user_writer.hpp"

#include "core/limits.hpp"
#include "storage/postgres/convo_row.hpp"
#include "storage/postgres/package_row.hpp"
#include "storage/tables/conversations.hpp"

#include <algorithm>
#include <utility>

namespace catbird::storage::postgres {

namespace {

constexpr const char* select_known =
    "SELECT EXISTS (SELECT FROM key_package WHERE hash = ANY(ARRAY[$1::bytea, $2::bytea]))"
    " OR EXISTS (SELECT FROM key_package WHERE ref = ANY(ARRAY[$1::bytea, $2::bytea]))";
constexpr const char* count_pool =
    "SELECT count(*) FROM key_package WHERE user_did = $1::text AND suite = $2::bigint"
    " AND device = $3::text AND state <> 'consumed' AND not_after > $4::bigint";

}  // namespace

Result<PublishResult> PostgresUserWriter::publish(const core::Caller& owner,
                                                  const NewKeyPackage& package, Timestamp now) {
  const Call checks[] = {{select_known, {package.hash, package.ref}},
                         {count_pool, {owner.user, package.suite, owner.device, now}}};
  auto found = db_.query_all(checks);
  if (!found) return std::unexpected(found.error());
  if ((*found)[0].integer(0, 0) != 0) return PublishResult::duplicate;
  if ((*found)[1].number(0, 0) >= core::key_packages_per_device_max) {
    return PublishResult::pool_full;
  }
  return insert(owner, package, now, std::nullopt);
}

Result<PublishResult> PostgresUserWriter::note_consumed(const core::Caller& owner,
                                                        const NewKeyPackage& package,
                                                        Timestamp at) {
  auto known = db_.query(select_known, {package.hash, package.ref});
  if (!known) return std::unexpected(known.error());
  if (known->integer(0, 0) != 0) return PublishResult::duplicate;
  return insert(owner, names_of(package), at, at);
}

Result<PublishResult> PostgresUserWriter::insert(const core::Caller& owner,
                                                 const NewKeyPackage& package, Timestamp now,
                                                 std::optional<Timestamp> consumed_at) {
  const auto row = new_package_row(owner, package, now, consumed_at);
  const auto call = insert_package(row, package.bytes);
  auto stored = db_.query(call.sql, call.params);
  if (!stored) return std::unexpected(stored.error());
  if (stored->changed() == 0) return PublishResult::duplicate;
  written_ = true;
  return PublishResult::stored;
}

Result<std::vector<ReservedKeyPackage>> PostgresUserWriter::reserve(const ReserveQuery& query) {
  auto pool = package_pool(db_, query.target, query.suite, query.now);
  if (!pool) return std::unexpected(pool.error());
  if (query.device) {
    std::erase_if(*pool, [&](const auto& one) { return one.row.state.device != *query.device; });
  }
  std::vector<PackageState> states;
  for (const auto& one : *pool) states.push_back(one.row.state);

  std::vector<ReservedKeyPackage> reserved;
  std::vector<Call> calls;
  for (const auto& choice : choose_packages(states, query.caller, query.now, query.taken)) {
    auto& [row, bytes] = (*pool)[choice.index];
    if (choice.reserves) {
      row.state.reserved_by = query.caller;
      row.state.reserved_until = reservation_end(query.now, row.state.not_after);
      calls.push_back(reserve_package(row));
    }
    reserved.push_back({row.user, row.state.device, row.suite, row.hash, row.ref, std::move(bytes),
                        row.state.last_resort, row.state.id});
  }
  if (calls.empty()) return reserved;
  auto done = db_.query_all(calls);
  if (!done) return std::unexpected(done.error());
  written_ = true;
  if (!std::ranges::all_of(*done, [](const auto& one) { return one.changed() == 1; })) {
    return fail(Errc::retry, "a key package changed meanwhile");
  }
  return reserved;
}

Result<std::uint64_t> PostgresUserWriter::revoke(const core::Caller& owner,
                                                 const std::optional<std::vector<Bytes>>& only,
                                                 Timestamp now) {
  // Also expired ones, which a corrected clock could bring back.
  const auto select = select_packages_of(live_of(owner));
  auto found = db_.query(select.sql, select.params);
  if (!found) return std::unexpected(found.error());
  auto rows = packages_of(db_, *found);
  if (!rows) return std::unexpected(rows.error());
  std::vector<Call> calls;
  for (const auto& row : *rows) {
    if (to_revoke(row.hash, row.state, only, now)) calls.push_back(use_up_package(row, now));
  }
  if (calls.empty()) return 0;
  auto done = db_.query_all(calls);
  if (!done) return std::unexpected(done.error());
  written_ = true;
  std::uint64_t revoked = 0;
  for (const auto& one : *done) revoked += one.changed();
  return revoked;
}

Result<bool> PostgresUserWriter::end_welcome(const core::ConvoId& convo, const core::Caller& device,
                                             Timestamp now, WelcomeEnd end) {
  auto found = find_convo(db_, convo);
  if (!found) return std::unexpected(found.error());
  if (!*found) return false;
  Column users(Column::Type::text);
  users.add(device.user);
  auto rows = recipients_of(db_, (*found)->id, users);
  if (!rows) return std::unexpected(rows.error());
  std::vector<WelcomePointer> pointers;
  for (const auto& row : *rows) pointers.push_back(row.pointer);
  const auto chosen = choose_welcome(pointers, device.device, now);
  if (!chosen) return false;
  const auto call = end_recipient((*rows)[*chosen], state_of(end));
  auto done = db_.query(call.sql, call.params);
  if (!done) return std::unexpected(done.error());
  written_ = true;
  return done->changed() == 1;
}

Result<std::optional<PlacedNotice>> PostgresUserWriter::place(const core::ConvoId& convo,
                                                              core::Noted noted) {
  auto found = find_convo(db_, convo);
  if (!found) return std::unexpected(found.error());
  if (!*found) return std::nullopt;
  noted.seq = (*found)->last_seq;
  noted.epoch = (*found)->epoch;
  const auto draw = draw_positions(1);
  auto drawn = db_.query(draw.sql, draw.params);
  if (!drawn) return std::unexpected(drawn.error());
  const auto position = drawn->number(0, 0);
  auto added = storage::insert(tables_, record_of(position, convo, noted));
  if (!added) return std::unexpected(added.error());
  if (!*added) return fail(Errc::internal, "a position used twice");
  return PlacedNotice{convo, position, std::move(noted)};
}

}  // namespace catbird::storage::postgres
