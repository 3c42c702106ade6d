// SPDX-License-Identifier: MIT
#pragma once

#include "storage/rows.hpp"
#include "storage/sqlite/database.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace catbird::storage::sqlite {

Result<std::optional<PackageRow>> package_by_ref(Database& database, ByteView ref);
Result<std::optional<PackageRow>> package_by_hash(Database& database, ByteView hash);
/// Unconsumed ones that live after `now`, in order of publication.
Result<std::vector<PackageRow>> package_pool(Database& database, const core::Did& user,
                                             std::uint16_t suite, Timestamp now);
Result<Bytes> package_bytes(Database& database, const PackageRow& row);
Result<void> insert_package(Database& database, const PackageRow& row, ByteView body);
/// Writes reservation and consumption as `row` has them, if the stored row still is what it was
/// read as; a consumed package loses its bytes. False if it is not.
Result<bool> update_package(Database& database, const PackageRow& row);
Result<std::vector<PackageRow>> packages_of(Database& database, const PackageQuery& query);
/// False if it is used up already.
Result<bool> use_up_package(Database& database, const PackageRow& row, Timestamp at);

}  // namespace catbird::storage::sqlite
