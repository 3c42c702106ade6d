// SPDX-License-Identifier: MIT
#pragma once

#include "storage/postgres/connection.hpp"
#include "storage/postgres/sums.hpp"
#include "storage/rows.hpp"

#include <string_view>
#include <vector>

// The rows of key packages and of the pointers to Welcomes, each verified when read.

namespace catbird::storage::postgres {

enum class PackageName : bool { ref, hash };
/// Those that exist, ordered by id.
Result<std::vector<PackageRow>> packages_by(Connection& connection, PackageName name,
                                            const Column& names);
struct PooledPackage {
  PackageRow row;
  Bytes bytes;
};
/// Unconsumed ones that live after `now`, in order of publication.
Result<std::vector<PooledPackage>> package_pool(Connection& connection, const core::Did& user,
                                                std::uint16_t suite, Timestamp now);
/// Nothing is changed if its hash or ref is known.
Call insert_package(const PackageRow& row, ByteView body);
/// Write reservation and consumption as `row` has them, if the stored row still is what it was read
/// as; a consumed package loses its bytes. They change one row, or none.
Call reserve_package(const PackageRow& row);
Call consume_package(PackageRow& row);
Call select_packages_of(const PackageQuery& query);
Result<std::vector<PackageRow>> packages_of(Connection& connection, const Rows& rows);
/// Changes no row that is used up already.
Call use_up_package(const PackageRow& row, Timestamp at);

/// Pointers of these users in a conversation, oldest first.
Result<std::vector<RecipientRow>> recipients_of(Connection& connection, RowHandle convo,
                                                const Column& users);
/// Ends a pending pointer: `state` is confirmed or superseded. Changes one row.
Call end_recipient(const RecipientRow& row, std::string_view state);

}  // namespace catbird::storage::postgres
