// SPDX-License-Identifier: MIT
#pragma once

#include "base/result.hpp"
#include "storage/convo_store.hpp"
#include "storage/reader.hpp"
#include "storage/user_writer.hpp"

#include <memory>
#include <string>

namespace catbird::storage {

/// A backend: one writer for the lane, any number of readers, one per reader thread. Outlives both.
class Stores {
 public:
  virtual ~Stores() = default;
  virtual ConvoStore& writer() = 0;
  virtual Result<std::unique_ptr<Reader>> open_reader() = 0;
  /// Changes whenever the log may have been rewound (a restore): part of every stream cursor (L6).
  virtual std::string incarnation() const = 0;
  /// For the log and /health: "sqlite", "memory".
  virtual std::string name() const = 0;
};

}  // namespace catbird::storage
