// SPDX-License-Identifier: MIT
#pragma once

#include <simdjson.h>

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace catbird::race {

struct SeenRow {
  std::uint64_t seq = 0;
  std::string id;
  std::uint64_t epoch = 0;
  std::string kind;
  std::string sha;
};
struct SeenConvo {
  std::string id;
  std::uint64_t epoch = 0;
  std::uint64_t unread = 0;
};
struct SeenPackage {
  std::string user, device, hash;
  bool last_resort = false;
  friend auto operator<=>(const SeenPackage&, const SeenPackage&) = default;
};

/// What became of a request. status 0: unknown, by a lost connection; 5xx: unknown too.
struct Reply {
  int status = 0;
  std::string error;
  std::optional<std::uint64_t> server_epoch;
  std::uint64_t seq = 0, epoch = 0;
  std::vector<SeenRow> rows;
  std::vector<SeenConvo> convos;
  std::vector<SeenPackage> packages;
  std::vector<std::string> missing;

  bool ok() const { return status == 200; }
  bool unknown() const { return status == 0 || status >= 500; }
  /// A refusal of a commit or message on another epoch than the server's.
  bool stale() const { return status == 409 && server_epoch.has_value(); }
  std::string text() const { return std::to_string(status) + " " + error; }
};

/// Fills `reply`, whose status is set, from an answer to the history's `op`; gives what the history
/// says of it, as JSON text beginning with a comma. Stops the program if the answer lacks a part.
std::string read_answer(std::string_view op, simdjson::dom::element body, Reply& reply);

}  // namespace catbird::race
