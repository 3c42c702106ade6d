// SPDX-License-Identifier: MIT
// How an activation begins: reading the store, with back-off, and taking the fence.
#include "actors/conversation_actor.hpp"
#include "actors/limits.hpp"
#include "base/check.hpp"
#include "base/mutant.hpp"
#include "core/limits.hpp"
#include "obs/log.hpp"

#include <algorithm>
#include <utility>

namespace catbird::actors {

namespace {
constexpr std::string_view log_target = "catbird_server::actors::conversation";
}

void ConversationActor::load() {
  state_ = State::loading;
  activation_ = std::make_shared<Activation>();
  const auto number = ++activation_number_;
  ++reads_open_;
  engine_.readers.run([this, number](storage::Reader& reader) {
    own_.post([this, number, result = reader.load(id_)]() mutable {
      --reads_open_;
      loaded(number, std::move(result));
    });
  });
}

void ConversationActor::loaded(std::uint64_t activation, Result<storage::Loaded> result) {
  CATBIRD_CHECK(activation == activation_number_ && state_ == State::loading);
  if (!result) {
    engine_.metrics.restarts_load.add();
    ++failures_;
    if (result.error().code == Errc::storage_corrupt) {
      // Never serve or extend what cannot be trusted: everyone waiting is told, and the next
      // letter looks again (an operator may have restored a backup).
      end_activation();
      state_ = State::cold;
      auto letters = std::move(mailbox_);
      mailbox_.clear();
      for (auto& letter : letters) {
        count_out(letter);
        refuse(letter, result.error());
      }
      owner_.changed(id_);
      return;
    }
    obs::log(obs::Level::error, log_target, "actor could not load its conversation",
             {{"convo", obs::log_id(id_.value)}, {"reason", result.error().detail}});
    end_activation();
    retry_load();
    return;
  }
  if (result->fence.value > engine_.fence.load()) {
    renew_fence();
    return;
  }
  if (!mutant("no_reload_after_failure") || !head_.exists()) {
    head_ = core::Conversation(std::move(result->state));
  }
  row_ = result->row;
  seen_ = result->fence;
  version_ = result->version;
  durable_fence_ = seen_;
  durable_version_ = version_;
  keys_ready_ = false;
  state_ = State::ready;
  if (head_.exists()) log_start();
  schedule();
  if (absent()) owner_.changed(id_);
}

// Someone with a later fence wrote here. Two owners are only slow: draw a later one and go on.
void ConversationActor::renew_fence() {
  ++reads_open_;
  engine_.lane.draw_fence(own_, [this](Result<core::Fence> fence) {
    --reads_open_;
    if (fence) {
      auto current = engine_.fence.load();
      while (current < fence->value &&
             !engine_.fence.compare_exchange_weak(current, fence->value)) {
      }
      load();
      return;
    }
    ++failures_;
    end_activation();
    retry_load();
  });
}

void ConversationActor::retry_load() {
  state_ = State::waiting;
  const auto shift = std::min<std::uint32_t>(failures_ > 0 ? failures_ - 1 : 0, 10);
  const auto delay = std::min(reload_delay_min * (1U << shift), reload_delay_max);
  ++reads_open_;
  own_.post_after(delay, [this] {
    --reads_open_;
    load();
  });
}

void ConversationActor::load_keys() {
  state_ = State::loading_keys;
  ++reads_open_;
  engine_.readers.run([this, number = activation_number_](storage::Reader& reader) {
    own_.post([this, number, result = reader.load_keys(id_, engine_.key_window_max)]() mutable {
      --reads_open_;
      keys_loaded(number, std::move(result));
    });
  });
}

void ConversationActor::keys_loaded(std::uint64_t activation,
                                    Result<storage::Reader::Keys> result) {
  // A write in flight may have failed meanwhile: then this answer is of a life that is over.
  if (activation != activation_number_) return;
  if (!result) {
    auto places = take_gate();
    end_activation();
    for (auto& place : places) {
      refuse(place.letter, {Errc::retry, "the store did not answer", std::nullopt, 1});
    }
    ++failures_;
    retry_load();
    return;
  }
  // No keyed command was decided since the window was dropped (needs_keys), so nothing is lost
  // here.
  head_.keys() = {};
  if (!result->complete) head_.keys().set_incomplete();
  std::ranges::reverse(result->keys);
  for (auto& key : result->keys) head_.keys().add(std::move(key));
  keys_ready_ = true;
  state_ = State::ready;
  schedule();
}

}  // namespace catbird::actors
