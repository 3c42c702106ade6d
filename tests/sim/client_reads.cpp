// SPDX-License-Identifier: MIT
// What a client reads, and its key packages.
#include "sim/client.hpp"

namespace catbird::sim {

namespace {
constexpr std::size_t pages_max = 6;
constexpr std::int64_t day_ms = 24LL * 3600 * 1000;
}  // namespace

Request Client::request(Request::What what, std::size_t convo) const {
  Request request;
  request.what = what;
  request.caller = {user_did(identity_.user), core::DeviceId(identity_.device)};
  request.convo = convo;
  return request;
}

void Client::ask(Request asked, Caller::Heard heard) {
  caller_.call(std::move(asked), nullptr, std::move(heard));
}

void Client::read(Work work, std::size_t convo) {
  const auto done = [this](const Answer&) { finish(); };
  switch (work) {
    case Work::page:
      return page(convo, pages_max, [this] { finish(); });
    case Work::commits: {
      auto asked = request(Request::What::commits, convo);
      asked.since = sim_.pick(views_[convo].epoch + 1);
      asked.limit = asked.since + sim_.pick(6);
      return ask(std::move(asked), done);
    }
    case Work::welcome:
      return ask(request(Request::What::welcome, convo), done);
    case Work::confirm:
      // A client confirms the Welcome it has just read.
      return ask(request(Request::What::welcome, convo), [this, convo](const Answer& answer) {
        if (answer.error) return finish();
        ask(request(Request::What::confirm, convo), [this](const Answer&) { finish(); });
      });
    case Work::reserve:
      return reserve(sim_.pick(identity_.users_count), [this](const Packages&) { finish(); });
    case Work::list:
      if (sim_.chance(30)) return ask(request(Request::What::group_info, convo), done);
      return list([this] { finish(); });
    default:
      return list([this] { finish(); });
  }
}

void Client::page(std::size_t convo, std::size_t pages_left, Then then) {
  auto asked = request(Request::What::page, convo);
  auto& view = views_[convo];
  // Mostly on from where it was; sometimes from anywhere.
  asked.since = sim_.chance(80) ? view.cursor : sim_.pick(view.last + 1);
  asked.limit = 1 + sim_.pick(outside_.swarm.page_rows_max);
  const auto limit = asked.limit;
  ask(std::move(asked),
      [this, convo, pages_left, limit, then = std::move(then)](const Answer& answer) mutable {
        auto& seen = views_[convo];
        if (answer.error) {
          seen.active = false;
          return then();
        }
        for (const auto& row : answer.rows) {
          seen.cursor = std::max(seen.cursor, row.seq.value);
          seen.last = std::max(seen.last, row.seq.value);
          seen.epoch = std::max(seen.epoch, row.epoch.value);
        }
        if (answer.rows.size() < limit || pages_left <= 1) return then();
        page(convo, pages_left - 1, std::move(then));
      });
}

void Client::list(Then then) {
  ask(request(Request::What::list, 0),
      [this, then = std::move(then)](const Answer& answer) mutable {
        if (!answer.error) {
          for (auto& view : views_) view.active = false;
          for (const auto& shown : answer.convos.convos) {
            auto& view = views_[convo_of(shown.id)];
            view.active = true;
            view.epoch = std::max(view.epoch, shown.epoch.value);
            view.members.clear();
            for (const auto& member : shown.members) {
              view.members.insert(user_of(member.user));
              if (user_of(member.user) == identity_.user) view.admin = member.admin;
            }
          }
        }
        then();
      });
}

void Client::reserve(std::size_t target, std::move_only_function<void(const Packages&)> then) {
  auto asked = request(Request::What::reserve, 0);
  asked.target = user_did(target);
  ask(std::move(asked),
      [then = std::move(then)](const Answer& answer) mutable { then(answer.packages); });
}

void Client::publish() {
  auto asked = request(Request::What::publish, 0);
  const auto count = 1 + sim_.pick(3);
  for (std::size_t i = 0; i < count; ++i) {
    const auto ref = "k" + new_name();
    const auto life =
        sim_.chance(10) ? 1000 * static_cast<std::int64_t>(sim_.pick(5)) : 80 * day_ms;
    asked.packages.push_back({.ref = bytes_of(ref),
                              .hash = bytes_of("hash of " + ref),
                              .suite = 1,
                              .last_resort = sim_.chance(15),
                              .not_after = Timestamp(outside_.clock.now().value + life),
                              .bytes = bytes_of(ref)});
  }
  ask(std::move(asked), [this](const Answer&) { finish(); });
}

}  // namespace catbird::sim
