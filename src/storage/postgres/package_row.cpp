// SPDX-License-Identifier: MIT
#include "storage/postgres/package_row.hpp"

#include <utility>

namespace catbird::storage::postgres {

namespace {

constexpr const char* select_by_ref =
    "SELECT id, user_did, device, suite, ref, hash, last_resort, not_after, published_at,"
    " reserved_by, reserved_until, consumed_at, body_sum, checksum FROM key_package"
    " WHERE ref = ANY($1::bytea[]) ORDER BY id";
constexpr const char* select_by_hash =
    "SELECT id, user_did, device, suite, ref, hash, last_resort, not_after, published_at,"
    " reserved_by, reserved_until, consumed_at, body_sum, checksum FROM key_package"
    " WHERE hash = ANY($1::bytea[]) ORDER BY id";
constexpr const char* select_pool =
    "SELECT id, user_did, device, suite, ref, hash, last_resort, not_after, published_at,"
    " reserved_by, reserved_until, consumed_at, body_sum, checksum, body FROM key_package"
    " WHERE user_did = $1::text AND suite = $2::bigint AND state <> 'consumed'"
    " AND not_after > $3::bigint ORDER BY id";
constexpr const char* select_of_user =
    "SELECT id, user_did, device, suite, ref, hash, last_resort, not_after, published_at,"
    " reserved_by, reserved_until, consumed_at, body_sum, checksum FROM key_package"
    " WHERE user_did = $1::text AND (state = 'consumed') = ($2::bigint <> 0)"
    " AND ($2::bigint <> 0 OR not_after > $3::bigint) AND ($4::bigint <> 0 OR device = $5::text)"
    " AND id < $6::bigint ORDER BY id DESC LIMIT $7::bigint";
constexpr const char* update_used_up =
    "UPDATE key_package SET state = 'consumed', last_resort = false, reserved_by = NULL,"
    " reserved_until = NULL, consumed_at = $2::bigint, body = ''::bytea, body_sum = $3::bigint,"
    " checksum = $4::bigint WHERE id = $1::bigint AND state <> 'consumed'";
constexpr const char* insert_row =
    "INSERT INTO key_package (user_did, device, suite, ref, hash, last_resort, not_after,"
    " published_at, state, body_sum, checksum, body, consumed_at) VALUES ($1::text, $2::text, "
    "$3::bigint,"
    " $4::bytea, $5::bytea, $6::bigint <> 0, $7::bigint, $8::bigint, $12::text, $9::bigint,"
    " $10::bigint, $11::bytea, $13::bigint) ON CONFLICT DO NOTHING";
constexpr const char* update_reserved =
    "UPDATE key_package SET state = 'reserved', reserved_by = $2::text, reserved_until = "
    "$3::bigint,"
    " checksum = $4::bigint WHERE id = $1::bigint AND state <> 'consumed'";
constexpr const char* update_consumed =
    "UPDATE key_package SET state = 'consumed', reserved_by = NULL, reserved_until = NULL,"
    " consumed_at = $2::bigint, body = ''::bytea, body_sum = $3::bigint, checksum = $4::bigint"
    " WHERE id = $1::bigint AND state = 'reserved'";
constexpr const char* select_recipients =
    "SELECT id, welcome, user_did, device, ref, state, at, checksum FROM welcome_recipient"
    " WHERE convo = $1::bigint AND user_did = ANY($2::text[]) ORDER BY id";
constexpr const char* update_recipient =
    "UPDATE welcome_recipient SET state = $2::text, checksum = $3::bigint WHERE id = $1::bigint"
    " AND state = 'pending'";

Result<PackageRow> package_of(Connection& connection, const Rows& rows, int at) {
  PackageRow row;
  row.state.id = rows.integer(at, 0);
  row.user = core::Did(rows.text(at, 1));
  row.state.device = core::DeviceId(rows.text(at, 2));
  row.suite = static_cast<std::uint16_t>(rows.integer(at, 3));
  row.ref = rows.bytes(at, 4);
  row.hash = rows.bytes(at, 5);
  row.state.last_resort = rows.integer(at, 6) != 0;
  row.state.not_after = Timestamp(rows.integer(at, 7));
  row.published_at = Timestamp(rows.integer(at, 8));
  if (!rows.is_null(at, 9)) row.state.reserved_by = core::Did(rows.text(at, 9));
  row.state.reserved_until = Timestamp(rows.integer(at, 10));
  if (!rows.is_null(at, 11)) row.consumed_at = Timestamp(rows.integer(at, 11));
  row.body_sum = rows.integer(at, 12);
  if (rows.integer(at, 13) != package_sum(row)) {
    return std::unexpected(connection.corrupt("key_package"));
  }
  return row;
}

}  // namespace

Result<std::vector<PackageRow>> packages_by(Connection& connection, PackageName name,
                                            const Column& names) {
  Params params;
  names.add_to(params);
  auto rows = connection.query(name == PackageName::ref ? select_by_ref : select_by_hash, params);
  if (!rows) return std::unexpected(rows.error());
  std::vector<PackageRow> found;
  for (int i = 0; i < rows->size(); ++i) {
    auto row = package_of(connection, *rows, i);
    if (!row) return std::unexpected(row.error());
    found.push_back(std::move(*row));
  }
  return found;
}

Result<std::vector<PooledPackage>> package_pool(Connection& connection, const core::Did& user,
                                                std::uint16_t suite, Timestamp now) {
  auto rows = connection.query(select_pool, {user, suite, now});
  if (!rows) return std::unexpected(rows.error());
  std::vector<PooledPackage> pool;
  for (int i = 0; i < rows->size(); ++i) {
    auto row = package_of(connection, *rows, i);
    if (!row) return std::unexpected(row.error());
    PooledPackage one{std::move(*row), rows->bytes(i, 14)};
    if (sum_of(one.bytes) != one.row.body_sum) {
      return std::unexpected(connection.corrupt("key_package"));
    }
    pool.push_back(std::move(one));
  }
  return pool;
}

Call insert_package(const PackageRow& row, ByteView body) {
  return {insert_row,
          {row.user, row.state.device, row.suite, row.ref, row.hash, row.state.last_resort,
           row.state.not_after, row.published_at, row.body_sum, package_sum(row), body,
           state_of(row), row.consumed_at}};
}

Call reserve_package(const PackageRow& row) {
  return {update_reserved,
          {row.state.id, row.state.reserved_by, row.state.reserved_until, package_sum(row)}};
}

Call select_packages_of(const PackageQuery& query) {
  const core::DeviceId device = query.device.value_or(core::DeviceId());
  return {select_of_user,
          {query.user, query.used, query.now, !query.device.has_value(), device,
           query.below.value_or(INT64_MAX),
           query.rows_max == 0 ? Value(std::nullopt) : Value(clamped(query.rows_max))}};
}

Result<std::vector<PackageRow>> packages_of(Connection& connection, const Rows& rows) {
  std::vector<PackageRow> found;
  for (int i = 0; i < rows.size(); ++i) {
    auto row = package_of(connection, rows, i);
    if (!row) return std::unexpected(row.error());
    found.push_back(std::move(*row));
  }
  return found;
}

Call use_up_package(const PackageRow& row, Timestamp at) {
  const auto after = used_up(row, at);
  return {update_used_up, {after.state.id, after.consumed_at, after.body_sum, package_sum(after)}};
}

Call consume_package(PackageRow& row) {
  row.state.reserved_by.reset();
  row.body_sum = sum_of({});
  return {update_consumed, {row.state.id, row.consumed_at, row.body_sum, package_sum(row)}};
}

Result<std::vector<RecipientRow>> recipients_of(Connection& connection, RowHandle convo,
                                                const Column& users) {
  Params params{convo};
  users.add_to(params);
  auto rows = connection.query(select_recipients, params);
  if (!rows) return std::unexpected(rows.error());
  std::vector<RecipientRow> found;
  for (int i = 0; i < rows->size(); ++i) {
    RecipientRow row;
    row.pointer.id = rows->integer(i, 0);
    row.welcome = rows->integer(i, 1);
    row.convo = convo;
    row.user = core::Did(rows->text(i, 2));
    row.pointer.device = core::DeviceId(rows->text(i, 3));
    row.ref = rows->bytes(i, 4);
    const auto state = rows->text(i, 5);
    row.pointer.pending = state == "pending";
    row.pointer.at = Timestamp(rows->integer(i, 6));
    if (rows->integer(i, 7) != recipient_sum(row, state)) {
      return std::unexpected(connection.corrupt("welcome_recipient"));
    }
    found.push_back(std::move(row));
  }
  return found;
}

Call end_recipient(const RecipientRow& row, std::string_view state) {
  return {update_recipient, {row.pointer.id, state, recipient_sum(row, state)}};
}

}  // namespace catbird::storage::postgres
