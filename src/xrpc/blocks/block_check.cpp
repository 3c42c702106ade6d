// SPDX-License-Identifier: MIT
#include "xrpc/blocks/block_check.hpp"

#include "xrpc/governance/standing.hpp"

#include <memory>
#include <mutex>

namespace catbird::xrpc {

namespace {

constexpr std::chrono::milliseconds change_budget{2'000};  // then a change goes on without

// The lists on their way. Answers after the end only warm the cache.
struct Gathering {
  std::mutex mutex;
  std::vector<core::Did> users;
  std::vector<social::BlockListPtr> lists;  // null: not read
  std::size_t open = 0;
  std::move_only_function<void(BlocksAmong)> done;

  void take(std::size_t place, Result<social::BlockListPtr> list) {
    {
      const std::lock_guard lock(mutex);
      if (!done) return;
      if (list) lists[place] = std::move(*list);
      if (--open > 0) return;
    }
    finish();
  }
  void finish() {
    std::move_only_function<void(BlocksAmong)> answer;
    {
      const std::lock_guard lock(mutex);
      answer = std::exchange(done, nullptr);
    }
    // Nobody writes the lists any more.
    if (answer) answer(compare());
  }

 private:
  BlocksAmong compare() const {
    BlocksAmong found;
    for (std::size_t i = 0; i < users.size(); ++i) {
      if (!lists[i]) {
        found.complete = false;
        continue;
      }
      for (const auto& other : users) {
        const auto* block = lists[i]->find(other.value);
        if (block != nullptr) found.blocks.push_back({users[i], other, block->uri, block->at});
      }
    }
    return found;
  }
};

/// The first answer counts: the list's, or the deadline's.
struct Once {
  std::mutex mutex;
  std::move_only_function<void(Result<social::BlockListPtr>)> done;

  void take(Result<social::BlockListPtr> list) {
    std::move_only_function<void(Result<social::BlockListPtr>)> answer;
    {
      const std::lock_guard lock(mutex);
      answer = std::exchange(done, nullptr);
    }
    if (answer) answer(std::move(list));
  }
};

}  // namespace

Wait<BlocksAmong> blocks_among(Services* services, std::vector<core::Did> users,
                               std::chrono::milliseconds budget) {
  return Wait<BlocksAmong>([services, users = std::move(users), budget](auto done) mutable {
    auto gathering = std::make_shared<Gathering>();
    gathering->users = std::move(users);
    gathering->lists.resize(gathering->users.size());
    gathering->open = gathering->users.size();
    gathering->done = std::move(done);
    if (gathering->users.empty() || services->blocks == nullptr) return gathering->finish();
    services->timers.post_after(budget, [weak = std::weak_ptr(gathering)] {
      if (auto late = weak.lock()) late->finish();
    });
    for (std::size_t i = 0; i < gathering->lists.size(); ++i) {
      services->blocks->of(gathering->users[i].value, social::Age::cached,
                           [gathering, i](Result<social::BlockListPtr> list) {
                             gathering->take(i, std::move(list));
                           });
    }
  });
}

Wait<Result<social::BlockListPtr>> block_list_now(Services* services, const core::Did& user) {
  return Wait<Result<social::BlockListPtr>>([services, user](auto done) mutable {
    if (services->blocks == nullptr) return done(fail(Errc::bluesky_unavailable, checks_off));
    auto once = std::make_shared<Once>();
    once->done = std::move(done);
    services->timers.post_after(services->settings.ask_deadline, [weak = std::weak_ptr(once)] {
      if (auto late = weak.lock()) late->take(fail(Errc::bluesky_unavailable, "no answer in time"));
    });
    services->blocks->of(user.value, social::Age::now, [once](Result<social::BlockListPtr> list) {
      once->take(std::move(list));
    });
  });
}

Task<Result<void>> check_blocks(Services* services, std::vector<core::Did> present,
                                std::vector<core::Did> added, Errc refusal) {
  if (services->blocks == nullptr || added.empty()) co_return {};
  auto users = added;
  for (auto& user : present) {
    if (!is_in(users, user)) users.push_back(std::move(user));
  }
  const bool all = users.size() <= block_check_users_max;
  if (!all) users.resize(block_check_users_max);
  auto looking = blocks_among(services, std::move(users), change_budget);
  const auto found = co_await looking;
  const auto concerns_added = [&](const BlockBetween& block) {
    return is_in(added, block.blocker) || is_in(added, block.blocked);
  };
  const auto block = std::ranges::find_if(found.blocks, concerns_added);
  const bool refused = block != found.blocks.end();
  const auto* outcome = refused ? "refused" : found.complete && all ? "clear" : "unknown";
  services->metrics
      .counter("block_checks_total", "Changes of a membership that Bluesky blocks were read for",
               std::string("outcome=").append(outcome))
      .add();
  if (refused) co_return fail(refusal, "one of these users blocks another on bluesky");
  co_return {};
}

Task<Result<void>> check_blocks_of_creation(Services* services, core::ConvoId convo,
                                            core::Did creator, std::vector<core::Did> members) {
  if (services->blocks == nullptr || members.empty()) co_return {};
  auto reading = read<bool>(services, [convo](storage::Reader& reader) -> Result<bool> {
    auto loaded = reader.load(convo);
    if (!loaded) return std::unexpected(loaded.error());
    return loaded->state.exists;
  });
  auto exists = co_await reading;
  if (!exists) co_return std::unexpected(exists.error());
  if (*exists) co_return {};  // a repetition, or refused anyway
  std::vector<core::Did> present;
  present.push_back(std::move(creator));
  auto checking =
      check_blocks(services, std::move(present), std::move(members), Errc::mutual_block_detected);
  auto checked = co_await checking;
  co_return checked;
}

Task<Result<void>> check_blocks_of_addition(Services* services, core::ConvoId convo,
                                            core::Did caller, std::vector<core::Did> added) {
  if (services->blocks == nullptr || added.empty()) co_return {};
  auto reading = read<std::vector<core::Did>>(
      services, [convo, caller](storage::Reader& reader) -> Result<std::vector<core::Did>> {
        auto loaded = reader.load(convo);
        if (!loaded) return std::unexpected(loaded.error());
        auto members = active_members(loaded->state);
        const auto own = std::ranges::find(members, caller);
        if (own == members.end()) return std::vector<core::Did>();  // will be refused
        std::rotate(members.begin(), own, own + 1);                 // the caller first
        return members;
      });
  auto present = co_await reading;
  if (!present) co_return std::unexpected(present.error());
  if (present->empty()) co_return {};
  // Who is there already is not added: a repetition of what was done hears of that, not of a block
  // made since.
  std::erase_if(added, [&](const core::Did& user) { return is_in(*present, user); });
  auto checking =
      check_blocks(services, std::move(*present), std::move(added), Errc::blocked_by_member);
  auto checked = co_await checking;
  co_return checked;
}

}  // namespace catbird::xrpc
