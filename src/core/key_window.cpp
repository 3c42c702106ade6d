// SPDX-License-Identifier: MIT
#include "core/key_window.hpp"

#include "core/limits.hpp"

#include <utility>

namespace catbird::core {

namespace {
// Cannot occur in a DID, a method name or (checked by xrpc/) a key.
constexpr char separator = '\n';
}  // namespace

KeyWindow::KeyWindow(const KeyWindow& other) {
  for (std::size_t i = 0; i < other.order_.size(); ++i) {
    add(*other.order_[(other.oldest_ + i) % other.order_.size()]);
  }
  complete_ = other.complete_;
}

std::string KeyWindow::message_key(const MsgId& id) { return "m" + id.value; }

std::string KeyWindow::request_key(const Did& user, const RequestKey& key) {
  std::string out = "r";
  out.append(user.value).push_back(separator);
  out.append(key.method).push_back(separator);
  out.append(key.key);
  return out;
}

void KeyWindow::add(KnownKey known) {
  const auto [place, fresh] = known_.insert(std::move(known));
  if (!fresh) return;
  if (order_.size() < key_window_max) {
    order_.push_back(&*place);
    return;
  }
  known_.erase(known_.find(*std::exchange(order_[oldest_], &*place)));
  oldest_ = (oldest_ + 1) % order_.size();
  complete_ = false;
}

const KnownKey* KeyWindow::find(std::string_view key) const {
  auto it = known_.find(key);
  return it == known_.end() ? nullptr : &*it;
}

void KeyWindow::clear() {
  known_.clear();
  order_.clear();
  order_.shrink_to_fit();
  oldest_ = 0;
  complete_ = false;
}

}  // namespace catbird::core
