// SPDX-License-Identifier: MIT
#pragma once

#include "core/conversation.hpp"
#include "storage/convo_store.hpp"
#include "storage/reader.hpp"

#include <vector>

namespace catbird::actors {

/// The stored row that a decision stands on; the write is void if it is another by then.
struct Footing {
  storage::RowHandle row = 0;
  core::Fence seen;
  core::Version version;

  static Footing of(const storage::Loaded& loaded) {
    return {loaded.row, loaded.fence, loaded.version};
  }
};

/// Applies `events`, which were decided on `head`, to it, and gives what to store. Both gateways
/// write this; `fence` is the writer's own.
storage::WriteSet make_write_set(const core::ConvoId& convo, core::Conversation& head,
                                 const Footing& footing, core::Fence fence,
                                 std::vector<core::Event> events);

}  // namespace catbird::actors
