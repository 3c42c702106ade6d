// SPDX-License-Identifier: MIT
#pragma once

#include "base/time.hpp"
#include "core/types.hpp"
#include "storage/table.hpp"

#include <string>

// What the operator has done to users.

namespace catbird::storage {

/// No method answers this user but with a refusal.
struct SuspensionRecord {
  core::Did user;
  std::string reason;
  Timestamp at;

  static const TableSpec& table();
  template <class Self, class Visit>
  static void visit(Self& self, Visit&& visit) {
    visit(self.user);
    visit(self.reason);
    visit(self.at);
  }
};

/// One order that was carried out. Never changed, never taken away.
struct OperatorAct {
  std::string id;
  std::string what;  // suspend, lift, erase
  core::Did user;
  std::string reason;
  Timestamp at;
  std::string outcome;

  static const TableSpec& table();
  template <class Self, class Visit>
  static void visit(Self& self, Visit&& visit) {
    visit(self.id);
    visit(self.what);
    visit(self.user);
    visit(self.reason);
    visit(self.at);
    visit(self.outcome);
  }
};

}  // namespace catbird::storage
