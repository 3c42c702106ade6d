// SPDX-License-Identifier: MIT
#include "xrpc/key_packages/claim.hpp"

#include "core/limits.hpp"
#include "storage/tables/accounts.hpp"

#include <algorithm>
#include <utility>

namespace catbird::xrpc {

using storage::KeyPackageClaim;
using storage::where;

namespace {

constexpr std::size_t forgotten_max = 100;  // old claims that one request takes away

Result<void> forget_old(storage::TableWriter& tables, const core::Did& user, Timestamp since) {
  return storage::erase_rows<KeyPackageClaim>(
      tables, {.where = {where("user_did", user), where("at", storage::Filter::Op::below, since)},
               .order = "at",
               .rows_max = forgotten_max});
}

}  // namespace

Result<std::vector<storage::ReservedKeyPackage>> claim_packages(storage::UserWriter& writer,
                                                                storage::ReserveQuery query) {
  auto& tables = writer.tables();
  const Timestamp since(query.now.value - core::drain_window_ms);
  if (auto forgot = forget_old(tables, query.target, since); !forgot) {
    return std::unexpected(forgot.error());
  }
  auto claims = storage::select<KeyPackageClaim>(
      tables, {.where = {where("user_did", query.target), where("suite", query.suite),
                         where("at", storage::Filter::Op::above, Timestamp(since.value - 1))}});
  if (!claims) return std::unexpected(claims.error());
  for (const auto& claim : *claims) query.taken.push_back({claim.package, claim.device});
  const auto caller = query.caller;
  const auto now = query.now;
  auto reserved = writer.reserve(query);
  if (!reserved) return reserved;
  for (const auto& one : *reserved) {
    const auto is_known = [&](const KeyPackageClaim& claim) {
      return claim.package == one.id && claim.caller == caller;
    };
    if (one.last_resort || std::ranges::any_of(*claims, is_known)) continue;
    auto kept = put(tables, KeyPackageClaim{one.user, one.id, one.device, one.suite, caller, now});
    if (!kept) return std::unexpected(kept.error());
  }
  return reserved;
}

}  // namespace catbird::xrpc
