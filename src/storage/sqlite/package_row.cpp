// SPDX-License-Identifier: MIT
#include "storage/sqlite/package_row.hpp"

#include <array>

namespace catbird::storage::sqlite {

namespace {

constexpr const char* select_by_ref =
    "SELECT id, user, device, suite, ref, hash, last_resort, not_after, published_at, state,"
    " reserved_by, reserved_until, consumed_at, body_sum, checksum FROM key_package WHERE ref=?1";
constexpr const char* select_by_hash =
    "SELECT id, user, device, suite, ref, hash, last_resort, not_after, published_at, state,"
    " reserved_by, reserved_until, consumed_at, body_sum, checksum FROM key_package WHERE hash=?1";
constexpr const char* select_pool =
    "SELECT id, user, device, suite, ref, hash, last_resort, not_after, published_at, state,"
    " reserved_by, reserved_until, consumed_at, body_sum, checksum FROM key_package"
    " WHERE user=?1 AND suite=?2 AND state IN ('available', 'reserved') AND not_after>?3"
    " ORDER BY id";
constexpr const char* select_body =
    "SELECT id, user, device, suite, ref, hash, last_resort, not_after, published_at, state,"
    " reserved_by, reserved_until, consumed_at, body_sum, checksum, body FROM key_package"
    " WHERE id=?1";
constexpr const char* select_of_user =
    "SELECT id, user, device, suite, ref, hash, last_resort, not_after, published_at, state,"
    " reserved_by, reserved_until, consumed_at, body_sum, checksum FROM key_package"
    " WHERE user=?1 AND (state='consumed')=?2 AND (?2 OR not_after>?3) AND (?4 OR device=?5)"
    " AND id<?6 ORDER BY id DESC LIMIT ?7";
constexpr const char* update_used_up =
    "UPDATE key_package SET state='consumed', last_resort=0, reserved_by=NULL, reserved_until=NULL,"
    " consumed_at=?2, body=x'', body_sum=?3, checksum=?4 WHERE id=?1 AND state<>'consumed'";
constexpr const char* insert_row =
    "INSERT INTO key_package (id, user, device, suite, ref, hash, last_resort, not_after,"
    " published_at, state, reserved_by, reserved_until, consumed_at, body_sum, checksum, body)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";
constexpr const char* update_reserved =
    "UPDATE key_package SET state='reserved', reserved_by=?2, reserved_until=?3, checksum=?4"
    " WHERE id=?1 AND state<>'consumed'";
constexpr const char* update_consumed =
    "UPDATE key_package SET state='consumed', reserved_by=NULL, reserved_until=NULL,"
    " consumed_at=?2, body=x'', body_sum=?3, checksum=?4 WHERE id=?1 AND state='reserved'";

constexpr std::size_t columns = 14;

std::array<Value, columns> values_of(const PackageRow& row) {
  const auto& state = row.state;
  const char* name = "available";
  if (row.consumed_at) name = "consumed";
  if (state.reserved_by) name = "reserved";
  std::optional<Timestamp> until;
  if (state.reserved_by) until = state.reserved_until;
  return {state.id,         row.user,    state.device,      row.suite,
          row.ref,          row.hash,    state.last_resort, state.not_after,
          row.published_at, name,        state.reserved_by, until,
          row.consumed_at,  row.body_sum};
}

PackageRow package_of(const Query& query) {
  PackageRow row;
  row.state.id = query.integer(0);
  row.user = core::Did(query.text(1));
  row.state.device = core::DeviceId(query.text(2));
  row.suite = static_cast<std::uint16_t>(query.integer(3));
  row.ref = query.bytes(4);
  row.hash = query.bytes(5);
  row.state.last_resort = query.integer(6) != 0;
  row.state.not_after = Timestamp(query.integer(7));
  row.published_at = Timestamp(query.integer(8));
  if (!query.is_null(10)) row.state.reserved_by = core::Did(query.text(10));
  row.state.reserved_until = Timestamp(query.integer(11));
  if (!query.is_null(12)) row.consumed_at = Timestamp(query.integer(12));
  row.body_sum = query.integer(13);
  return row;
}

Result<std::optional<PackageRow>> one(Query& query) {
  auto found = query.next_of("key_package");
  if (!found) return std::unexpected(found.error());
  if (!*found) return std::nullopt;
  return package_of(query);
}

}  // namespace

Result<std::optional<PackageRow>> package_by_ref(Database& database, ByteView ref) {
  Query query = database.query(select_by_ref, {ref});
  return one(query);
}

Result<std::optional<PackageRow>> package_by_hash(Database& database, ByteView hash) {
  Query query = database.query(select_by_hash, {hash});
  return one(query);
}

Result<std::vector<PackageRow>> package_pool(Database& database, const core::Did& user,
                                             std::uint16_t suite, Timestamp now) {
  std::vector<PackageRow> pool;
  Query query = database.query(select_pool, {user, suite, now});
  while (true) {
    auto found = query.next_of("key_package");
    if (!found) return std::unexpected(found.error());
    if (!*found) return pool;
    pool.push_back(package_of(query));
  }
}

Result<std::vector<PackageRow>> packages_of(Database& database, const PackageQuery& query) {
  std::vector<PackageRow> found;
  const core::DeviceId device = query.device.value_or(core::DeviceId());
  Query rows = database.query(select_of_user,
                              {query.user, query.used, query.now, !query.device.has_value(), device,
                               query.below.value_or(INT64_MAX),
                               query.rows_max == 0 ? std::int64_t{-1} : clamped(query.rows_max)});
  while (true) {
    auto more = rows.next_of("key_package");
    if (!more) return std::unexpected(more.error());
    if (!*more) return found;
    found.push_back(package_of(rows));
  }
}

Result<bool> use_up_package(Database& database, const PackageRow& row, Timestamp at) {
  const auto after = used_up(row, at);
  const auto sum = sum_row("key_package", values_of(after));
  auto done =
      database.run(update_used_up, {after.state.id, after.consumed_at, after.body_sum, sum});
  if (!done) return std::unexpected(done.error());
  return database.changes() == 1;
}

Result<Bytes> package_bytes(Database& database, const PackageRow& row) {
  Query query = database.query(select_body, {row.state.id});
  auto found = query.next_of("key_package");
  if (!found) return std::unexpected(found.error());
  if (!*found) return std::unexpected(database.corrupt("key_package"));
  return query.bytes(static_cast<int>(columns) + 1);
}

Result<void> insert_package(Database& database, const PackageRow& row, ByteView body) {
  const auto head = values_of(row);
  std::vector<Value> values(head.begin(), head.end());
  values.emplace_back(sum_row("key_package", head));
  values.emplace_back(body);
  return database.run(insert_row, values);
}

Result<bool> update_package(Database& database, const PackageRow& row) {
  PackageRow after = row;
  if (row.consumed_at) after.body_sum = sum_of({});
  const auto sum = sum_row("key_package", values_of(after));
  const auto& state = after.state;
  auto done =
      after.consumed_at
          ? database.run(update_consumed, {state.id, after.consumed_at, after.body_sum, sum})
          : database.run(update_reserved, {state.id, state.reserved_by, state.reserved_until, sum});
  if (!done) return std::unexpected(done.error());
  return database.changes() == 1;
}

}  // namespace catbird::storage::sqlite
