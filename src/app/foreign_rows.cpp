// SPDX-License-Identifier: MIT
#include "app/foreign_rows.hpp"

#include <utility>

namespace catbird::app {

void ForeignRows::start() {
  parts_.timers.post_after(every, [this] { ask(); });
}

void ForeignRows::ask() {
  if (parts_.alone() || parts_.hub.subscriptions() == 0) {
    start();
    return;
  }
  parts_.readers.run([this](storage::Reader& reader) {
    parts_.timers.post([this, newest = reader.last_position()] { heard(newest); });
  });
}

// Read after the position: our own rows may be counted before the position that includes them was
// read, and are then missing from the difference once; the next round sees it.
void ForeignRows::heard(const Result<std::uint64_t>& newest) {
  if (newest) {
    const auto others = *newest - parts_.hub.rows_published();
    const bool due = ++rounds_ >= rounds_until_told;
    if (due) rounds_ = 0;
    if (std::exchange(others_, others) != others || due) parts_.hub.resync();
  }
  start();
}

}  // namespace catbird::app
