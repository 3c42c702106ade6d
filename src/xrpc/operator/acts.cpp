// SPDX-License-Identifier: MIT
#include "xrpc/operator/acts.hpp"

#include "storage/tables/accounts.hpp"
#include "storage/tables/operations.hpp"
#include "storage/tables/requests.hpp"
#include "xrpc/devices/registration.hpp"
#include "xrpc/texts.hpp"

#include <set>
#include <string_view>

namespace catbird::xrpc {

using storage::OperatorAct;
using storage::SuspensionRecord;
using storage::where;

namespace {

constexpr std::size_t acts_shown_max = 100;

/// All rows of one table in which `column` names the user.
template <class T>
Result<void> erase_rows_of(storage::TableWriter& tables, std::string_view column,
                           const std::string& value) {
  return storage::erase_rows<T>(tables, {.where = {where(column, value)}});
}

Result<void> erase_requests(storage::TableWriter& tables, std::string_view column,
                            const core::Did& user) {
  auto requests =
      storage::select<storage::ChatRequestRecord>(tables, {.where = {where(column, user)}});
  if (!requests) return std::unexpected(requests.error());
  for (const auto& request : *requests) {
    auto held = erase_rows_of<storage::HeldMessage>(tables, "request", request.id);
    if (!held) return held;
    if (auto done = erase(tables, request); !done) return done;
  }
  return {};
}

Result<void> erase_belongings(storage::TableWriter& tables, const core::Did& user) {
  const auto& name = user.value;
  for (auto done :
       {erase_rows_of<storage::OptInRecord>(tables, "user_did", name),
        erase_rows_of<storage::SubscriptionTicket>(tables, "user_did", name),
        erase_rows_of<storage::PendingAddition>(tables, "user_did", name),
        erase_rows_of<storage::PushToken>(tables, "user_did", name),
        erase_rows_of<storage::PushNotice>(tables, "user_did", name),
        erase_rows_of<storage::KeyPackageClaim>(tables, "user_did", name),
        erase_rows_of<storage::ChatRequestSettings>(tables, "user_did", name),
        erase_rows_of<storage::BlockedSender>(tables, "user_did", name),
        erase_rows_of<storage::BlockedSender>(tables, "sender", name),
        erase_requests(tables, "sender", user), erase_requests(tables, "recipient", user)}) {
    if (!done) return done;
  }
  return {};
}

struct Belongings {
  std::vector<core::ConvoId> convos;
  std::set<std::string> devices;  // that have key packages here
};

Result<Belongings> look_for(storage::Reader& reader, const core::Did& user, Timestamp now) {
  auto windows = reader.windows(user);
  if (!windows) return std::unexpected(windows.error());
  storage::PackageQuery query;
  query.user = user;
  query.now = now;
  auto packages = reader.packages(query);
  if (!packages) return std::unexpected(packages.error());
  Belongings found;
  for (auto& window : *windows) found.convos.push_back(std::move(window.convo));
  for (const auto& package : *packages) found.devices.insert(package.device.value);
  return found;
}

Result<std::string> erase_everything(storage::UserWriter& writer, const OperatorAct& order,
                                     const Belongings& known) {
  auto& tables = writer.tables();
  auto devices = devices_of(tables, order.user);
  if (!devices) return std::unexpected(devices.error());
  for (const auto& device : *devices) {
    auto done = delete_device(writer, {order.user, device.device}, order.at);
    if (!done) return std::unexpected(done.error());
  }
  for (const auto& device : known.devices) {
    auto done = writer.revoke({order.user, core::DeviceId(device)}, std::nullopt, order.at);
    if (!done) return std::unexpected(done.error());
  }
  if (auto done = erase_belongings(tables, order.user); !done) return std::unexpected(done.error());
  auto act = order;
  act.outcome = "left " + std::to_string(known.convos.size()) + " conversations, " +
                std::to_string(devices->size()) + " devices removed";
  if (auto kept = insert_new(tables, act); !kept) return std::unexpected(kept.error());
  return "erased: " + act.outcome;
}

OperatorAct act_of(Services* services, std::string what, core::Did user, std::string reason) {
  const auto now = services->clock.now();
  return {.id = new_timed_id(now),
          .what = std::move(what),
          .user = std::move(user),
          .reason = std::move(reason),
          .at = now,
          .outcome = "done"};
}

Wait<Result<core::Outcome>> leave(Services* services, core::ConvoId convo, const core::Did& user) {
  core::Command command;
  command.caller.user = user;
  command.tag = services->tags.of(convo, user);
  command.what = core::LeaveConvo{user, {}};
  return ask(services, std::move(convo), std::move(command));
}

std::string line_of(const OperatorAct& act) {
  return to_rfc3339(act.at) + " " + act.what + " " + act.user.value + " (" + act.reason +
         "): " + act.outcome + "\n";
}

}  // namespace

Task<Result<std::string>> suspend_user(Services* services, core::Did user, std::string reason) {
  const auto act = act_of(services, "suspend", std::move(user), std::move(reason));
  auto writing = write<void>(services, [act](storage::UserWriter& writer) -> Result<void> {
    auto& tables = writer.tables();
    if (auto kept = put(tables, SuspensionRecord{act.user, act.reason, act.at}); !kept) return kept;
    auto tickets = erase_rows_of<storage::SubscriptionTicket>(tables, "user_did", act.user.value);
    if (!tickets) return tickets;
    return insert_new(tables, act);
  });
  auto done = co_await writing;
  if (!done) co_return std::unexpected(done.error());
  auto refreshing = refresh_suspensions(services);
  auto known = co_await refreshing;
  if (!known) co_return std::unexpected(known.error());
  co_return "suspended";
}

Task<Result<std::string>> lift_suspension(Services* services, core::Did user, std::string reason) {
  const auto act = act_of(services, "lift", std::move(user), std::move(reason));
  auto writing = write<bool>(services, [act](storage::UserWriter& writer) -> Result<bool> {
    auto& tables = writer.tables();
    auto found =
        storage::select_one<SuspensionRecord>(tables, {.where = {where("user_did", act.user)}});
    if (!found) return std::unexpected(found.error());
    if (!*found) return false;
    if (auto erased = erase(tables, **found); !erased) return std::unexpected(erased.error());
    if (auto kept = insert_new(tables, act); !kept) return std::unexpected(kept.error());
    return true;
  });
  auto done = co_await writing;
  if (!done) co_return std::unexpected(done.error());
  if (!*done) co_return fail(Errc::not_found, "this user is not suspended");
  auto refreshing = refresh_suspensions(services);
  auto known = co_await refreshing;
  if (!known) co_return std::unexpected(known.error());
  co_return "the suspension is lifted";
}

Task<Result<std::string>> erase_user(Services* services, core::Did user, std::string reason) {
  const auto order = act_of(services, "erase", std::move(user), std::move(reason));
  auto looking = read<Belongings>(services, [order](storage::Reader& reader) {
    return look_for(reader, order.user, order.at);
  });
  auto known = co_await looking;
  if (!known) co_return std::unexpected(known.error());
  for (const auto& convo : known->convos) {
    auto leaving = leave(services, convo, order.user);
    auto left = co_await leaving;
    // Gone meanwhile is as good.
    if (!left && left.error().code != Errc::not_member) co_return std::unexpected(left.error());
  }
  auto writing =
      write<std::string>(services, [order, known = std::move(*known)](storage::UserWriter& writer) {
        return erase_everything(writer, order, known);
      });
  auto done = co_await writing;
  if (done) services->hub.end_user(order.user, "device-removed");
  co_return done;
}

Task<Result<std::string>> list_acts(Services* services) {
  auto reading = read<std::string>(services, [](storage::Reader& reader) -> Result<std::string> {
    auto suspended =
        storage::select<SuspensionRecord>(reader.tables(), {.where = {}, .order = "at"});
    if (!suspended) return std::unexpected(suspended.error());
    auto acts = storage::select<OperatorAct>(
        reader.tables(),
        {.where = {}, .order = "at", .descending = true, .rows_max = acts_shown_max});
    if (!acts) return std::unexpected(acts.error());
    std::string text;
    for (const auto& one : *suspended) {
      text += "suspended since " + to_rfc3339(one.at) + ": " + one.user.value + " (" + one.reason +
              ")\n";
    }
    for (const auto& act : *acts) text += line_of(act);
    return text.empty() ? "nothing" : text;
  });
  auto text = co_await reading;
  co_return text;
}

Result<std::set<std::string>> suspended_users(storage::Reader& reader) {
  auto rows = storage::select<SuspensionRecord>(reader.tables(), {.where = {}});
  if (!rows) return std::unexpected(rows.error());
  std::set<std::string> users;
  for (auto& row : *rows) users.insert(std::move(row.user.value));
  return users;
}

Task<Result<void>> refresh_suspensions(Services* services) {
  auto reading = read<std::set<std::string>>(services, suspended_users);
  auto users = co_await reading;
  if (!users) co_return std::unexpected(users.error());
  for (const auto& user : services->suspended.replace(std::move(*users))) {
    services->hub.end_user(user, "suspended");
  }
  co_return {};
}

}  // namespace catbird::xrpc
