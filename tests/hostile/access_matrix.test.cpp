// SPDX-License-Identifier: MIT
#include "xrpc/endpoint.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <string>
#include <vector>

// No route without a row that says who may call it.

namespace catbird::xrpc {
namespace {

constexpr std::string_view prefix = "blue.catbird.mls.";

std::string trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(' ');
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(' ') - first + 1));
}

std::vector<std::string> cells_of(std::string_view line) {
  std::vector<std::string> cells;
  for (;;) {
    const auto bar = line.find('|');
    cells.push_back(trimmed(line.substr(0, bar)));
    if (bar == std::string_view::npos) return cells;
    line.remove_prefix(bar + 1);
  }
}

/// The rows of the table, its heading first.
std::vector<std::vector<std::string>> read_matrix() {
  std::ifstream file(CATBIRD_SOURCE_DIR "/tests/integration/node/hostile/access_matrix.txt");
  std::vector<std::vector<std::string>> rows;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && line.front() != '#') rows.push_back(cells_of(line));
  }
  return rows;
}

TEST(AccessMatrix, has_a_row_for_every_route_and_a_route_for_every_row) {
  const auto rows = read_matrix();
  ASSERT_GT(rows.size(), 1U);

  std::set<std::string> written;
  for (auto row = rows.begin() + 1; row != rows.end(); ++row) {
    written.insert(std::string(prefix) + trimmed(row->front().substr(0, row->front().find('('))));
  }
  std::set<std::string> routed;
  for (const auto& endpoint : endpoints()) routed.insert(std::string(endpoint.nsid));

  EXPECT_EQ(written, routed);
}

TEST(AccessMatrix, says_of_every_principal_what_it_gets) {
  const auto rows = read_matrix();
  ASSERT_FALSE(rows.empty());

  EXPECT_THAT(rows.front(), testing::ElementsAre("method", "no token", "wrong lxm", "stranger",
                                                 "member", "removed", "admin", "device"));
  for (const auto& row : rows) {
    EXPECT_EQ(row.size(), rows.front().size()) << row.front();
    EXPECT_TRUE(std::ranges::none_of(row, &std::string::empty)) << row.front();
  }
}

}  // namespace
}  // namespace catbird::xrpc
