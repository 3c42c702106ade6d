// SPDX-License-Identifier: MIT
#pragma once

#include "storage/reader.hpp"

#include <functional>

namespace catbird::actors {

using ReadJob = std::move_only_function<void(storage::Reader&)>;

/// Where blocking reads run. Any thread may call; the job runs on a reader thread and posts its
/// answer back itself. Jobs start in the order given but may overlap.
class Readers {
 public:
  virtual ~Readers() = default;
  virtual void run(ReadJob job) = 0;
};

}  // namespace catbird::actors
