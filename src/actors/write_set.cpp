// SPDX-License-Identifier: MIT
#include "actors/write_set.hpp"

#include <utility>

namespace catbird::actors {

storage::WriteSet make_write_set(const core::ConvoId& convo, core::Conversation& head,
                                 const Footing& footing, core::Fence fence,
                                 std::vector<core::Event> events) {
  storage::WriteSet set;
  set.convo = convo;
  set.row = footing.row;
  set.creates = !head.exists();
  set.seen = footing.seen;
  set.fence = fence;
  set.version = footing.version;
  set.last_seq = head.last_seq();
  set.epoch = head.epoch();
  for (const auto& event : events) head.apply(event);
  set.new_last_seq = head.last_seq();
  set.new_epoch = head.epoch();
  set.events = std::move(events);
  return set;
}

}  // namespace catbird::actors
