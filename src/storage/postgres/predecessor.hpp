// SPDX-License-Identifier: MIT
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

// The predecessor's PostgreSQL tables, read as they are: any of its schema's states, whatever
// columns it had by then. Nothing is written, and one snapshot is read from first to last.

namespace catbird::storage {

struct OldConvo {
  std::string id;
  std::string group_id;  // empty: the id is the group's
  std::string creator;
  std::string suite;
  std::string name;
  std::int64_t epoch = 0;
  Timestamp created_at;
  Bytes group_info;
};
struct OldMember {
  std::string user;  // a DID, perhaps with a device as its fragment
  std::string device;
  bool admin = false;
  Timestamp joined_at;
  std::optional<Timestamp> left_at;
  std::int64_t unread = 0;
};
/// A message without its bytes.
struct OldMessage {
  std::string row;  // where its bytes are, good for bodies()
  std::string id;
  std::string msg_id;  // the client's; empty: none
  std::string sender;
  std::string kind;
  std::int64_t epoch = 0;
  std::int64_t seq = 0;  // 0: never numbered
  Timestamp at;
  Bytes head;  // the first bytes: enough for the MLS framing
  std::int64_t size = 0;
};
struct OldWelcome {
  std::string id;
  std::string recipient;
  Bytes bytes;
  Bytes hash;
  bool consumed = false;
  Timestamp at;
};
struct OldPackage {
  std::string id;
  std::string owner;
  std::string device;
  Bytes bytes;
  bool consumed = false;
  bool last_resort = false;
  Timestamp created_at;
  std::optional<Timestamp> expires_at;
  std::optional<Timestamp> consumed_at;
};
struct OldTable {
  std::string name;
  std::int64_t rows = 0;
};

class Predecessor {
 public:
  /// Fails with a line for the operator: no connection, or no such tables in schema `public`.
  static Result<std::unique_ptr<Predecessor>> open(const std::string& url);
  virtual ~Predecessor() = default;

  /// Up to `max` conversations whose id is above `after`, by id.
  virtual Result<std::vector<OldConvo>> convos(const std::string& after, std::size_t max) = 0;
  virtual Result<std::vector<OldMember>> members(const std::string& convo) = 0;
  /// By (seq, created_at, id).
  virtual Result<std::vector<OldMessage>> messages(const std::string& convo) = 0;
  /// The bytes of these rows, in the order asked for.
  virtual Result<std::vector<Bytes>> bodies(std::span<const std::string> rows) = 0;
  virtual Result<std::vector<OldWelcome>> welcomes(const std::string& convo) = 0;
  /// Up to `max` key packages behind `after` (an id), by id.
  virtual Result<std::vector<OldPackage>> packages(const std::string& after, std::size_t max) = 0;
  /// Every table in the schema, with its number of rows.
  virtual Result<std::vector<OldTable>> tables() = 0;
  /// A name of this database, the same as long as it is the same one.
  virtual Result<std::string> identity() = 0;
};

}  // namespace catbird::storage
