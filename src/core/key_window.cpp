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
  for (const auto* known : other.order_) add(*known);
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
  order_.push_back(&*place);
  if (order_.size() <= key_window_max) return;
  known_.erase(known_.find(*order_.front()));
  order_.pop_front();
  complete_ = false;
}

const KnownKey* KeyWindow::find(std::string_view key) const {
  auto it = known_.find(key);
  return it == known_.end() ? nullptr : &*it;
}

void KeyWindow::clear() {
  known_.clear();
  order_.clear();
  complete_ = false;
}

}  // namespace catbird::core
