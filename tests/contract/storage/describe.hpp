// SPDX-License-Identifier: MIT
#pragma once

#include "storage/stores.hpp"
#include "storage/tables/conversations.hpp"

#include <string>

// Everything that a reader gives, as text: to compare backends, and to see a difference.

namespace catbird::storage {

std::string describe(const core::Snapshot& state);
std::string describe(const core::KnownKey& known);
std::string describe(const Reader::Keys& keys);
std::string describe(const std::vector<Row>& rows);
std::string describe(const std::vector<NoticeRecord>& notices);
std::string describe(const ConvoPage& page);
std::string describe(const std::vector<Window>& windows);
std::string describe(const std::optional<GroupInfoView>& info);
std::string describe(const std::optional<WelcomeView>& welcome);
std::string describe(const std::vector<KeyPackageFacts>& facts);
std::string describe(const std::vector<SuiteStats>& stats);
std::string describe(const std::vector<ReservedKeyPackage>& reserved);
/// Without their ids, which are each backend's own.
std::string describe(const std::vector<PackageView>& packages);

}  // namespace catbird::storage
