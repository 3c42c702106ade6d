// SPDX-License-Identifier: MIT
#include "bench/axes.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <stdexcept>

namespace catbird::bench {

namespace {

constexpr std::size_t usual_convos = 1'000;
constexpr std::size_t usual_members = 5;
constexpr std::size_t many_clients = 512;
constexpr double high_load = 0.8;

const Group talk{.name = "talk", .convos = usual_convos, .members = usual_members, .rows = 1};
const Group hot{.name = "hot", .convos = 1, .members = usual_members, .rows = 1};
const Group pages{.name = "pages", .convos = usual_convos, .members = usual_members, .rows = 50};
const Group grow{.name = "grow", .convos = usual_convos, .members = usual_members};

/// The median over the repetitions of `field` of one cell ÷ the same of another.
double ratio(const Cell& one, const Cell& other, double Sample::* field) {
  std::vector<double> ratios;
  ratios.reserve(one.samples.size());
  for (std::size_t i = 0; i < one.samples.size(); ++i) {
    ratios.push_back(one.samples[i].*field / other.samples[i].*field);
  }
  return median(ratios);
}

}  // namespace

Group talk_group() { return talk; }

Axes::Axes(World& world) : world_(world) {
  add_base_cells("postgres", "PostgreSQL");
  add_base_cells("postgres_direct", "PostgreSQL, actors off");
  add_base_cells("sqlite", "SQLite");
  add_base_cells("sqlite_direct", "SQLite, actors off");
  add_member_cells();
  add_history_cells();
  add_wide_cells();
  const auto& wanted = world.options.cells;
  std::erase_if(cells_, [&](const Cell& cell) {
    return !wanted.empty() && std::ranges::find(wanted, cell.id) == wanted.end();
  });
  for (auto& cell : cells_) cell.host = &host(cell.host_name);
}

/// The server of this name, started on its seeded database when it is first asked for.
Host& Axes::host(const std::string& name) {
  const auto found = std::ranges::find(hosts_, name, &Host::name);
  if (found != hosts_.end()) return *found;
  std::vector<Group> groups;
  for (const auto& cell : cells_) {
    const bool known = std::ranges::find(groups, cell.group.name, &Group::name) != groups.end();
    if (cell.host_name == name && !known) groups.push_back(cell.group);
  }
  const auto database = name.starts_with("sqlite") ? world_.make_sqlite(name, groups)
                                                   : world_.make_postgres(name, groups);
  Variables variables;
  if (name.ends_with("_direct")) variables["ENABLE_ACTOR_SYSTEM"] = "false";
  hosts_.push_back(world_.make_host(name, database, variables));
  hosts_.back().server->start();
  return hosts_.back();
}

Cell& Axes::cell(const std::string& host, const std::string& id, const std::string& title) {
  cells_.push_back({.id = id, .title = title, .host_name = host});
  return cells_.back();
}

void Axes::add_base_cells(const std::string& host, const std::string& title) {
  struct Row {
    std::string id, title;
    Work work;
    const Group* group;
    std::size_t clients = 64;
    bool es256k = false;
  };
  std::vector<Row> rows = {
      {"live", "/health/live", Work::live, &talk},
      {"epoch", "getEpoch", Work::epoch, &talk},
      {"page", "getMessages, 50 rows", Work::page, &pages},
      {"send", "sendMessage", Work::send, &talk},
      {"hot", "sendMessage, one hot conversation", Work::send, &hot},
      {"commit", "addMembers, real commits", Work::commit, &grow},
  };
  if (host == "postgres") {
    rows.push_back({"live_512", "/health/live, 512 clients", Work::live, &talk, many_clients});
    rows.push_back({"epoch_512", "getEpoch, 512 clients", Work::epoch, &talk, many_clients});
    rows.push_back({"send_512", "sendMessage, 512 clients", Work::send, &talk, many_clients});
    rows.push_back({"send_es256k", "sendMessage, ES256K", Work::send, &talk, 64, true});
  }
  if (host == "sqlite_direct") rows = {rows[3], rows[4]};
  for (const auto& row : rows) {
    auto& added = cell(host, host + "_" + row.id, title + ": " + row.title);
    added.work = row.work;
    added.group = *row.group;
    added.clients = row.clients;
    added.es256k = row.es256k;
  }
}

void Axes::add_member_cells() {
  for (const std::size_t members : {100U, 1'000U}) {
    auto& added = cell("members", fmt::format("postgres_members_{}", members),
                       fmt::format("PostgreSQL: sendMessage, {} members", members));
    added.work = Work::send;
    added.group = {.name = fmt::format("members {}", members),
                   .convos = world_.sizes.large_convos,
                   .members = members,
                   .rows = 1};
  }
}

void Axes::add_history_cells() {
  // Half of all messages are in one conversation: both kinds of a long history.
  const auto messages = world_.sizes.long_history;
  const auto each = messages / 2 / (usual_convos - 1);
  const Group history{.name = "history",
                      .convos = usual_convos,
                      .members = usual_members,
                      .rows = each,
                      .rows_of_first = messages - each * (usual_convos - 1)};
  auto& send = cell("history", "postgres_history",
                    fmt::format("PostgreSQL: sendMessage, {} messages of history", messages));
  send.work = Work::send;
  send.group = history;
  auto& page =
      cell("history", "postgres_history_page",
           fmt::format("PostgreSQL: getMessages, anywhere in {} rows", history.rows_of_first));
  page.work = Work::page;
  page.group = history;
}

void Axes::add_wide_cells() {
  const Group wide{
      .name = "wide", .convos = world_.sizes.many_convos, .members = usual_members, .rows = 1};
  auto& send = cell("wide", "postgres_wide",
                    fmt::format("PostgreSQL: sendMessage, {} conversations", wide.convos));
  send.work = Work::send;
  send.group = wide;
  auto& epoch = cell("wide", "postgres_wide_epoch",
                     fmt::format("PostgreSQL: getEpoch, {} conversations", wide.convos));
  epoch.work = Work::epoch;
  epoch.group = wide;
}

void Axes::run() {
  for (auto& cell : cells_) warm_up(world_.traffic, cell, world_.sizes.cell_seconds);
  say("warm");
  for (std::size_t i = 1; i <= world_.sizes.repetitions; ++i) {
    for (auto& cell : cells_) measure(world_.traffic, cell);
    say(fmt::format("repetition {} of {}, {} cells", i, world_.sizes.repetitions, cells_.size()));
  }
}

void Axes::run_at_80_percent() {
  std::vector<Cell*> open_cells;
  for (const std::string store : {"postgres", "sqlite"}) {
    const auto* closed = find(store + "_send");
    if (closed == nullptr) continue;
    const std::string name = store == "sqlite" ? "SQLite" : "PostgreSQL";
    auto& open =
        cell(closed->host_name, store + "_send_80", name + ": sendMessage, open loop at 80 %");
    open.host = closed->host;
    open.work = Work::send;
    open.group = talk;
    open.clients = many_clients;
    open.per_second = high_load * closed->figure(&Sample::per_second);
    open.requests = static_cast<std::size_t>(open.per_second * world_.sizes.open_seconds);
    open_cells.push_back(&open);
  }
  for (std::size_t i = 0; i < world_.sizes.repetitions; ++i) {
    for (auto* open : open_cells) measure(world_.traffic, *open);
  }
  say("80 % load");
}

void Axes::check() {
  for (auto& host : hosts_) {
    if (host.name == "sqlite") {
      checkpoints_ = host.server->metric("storage_checkpoints");
      pause_max_us_ = host.server->metric("storage_checkpoint_pause_max_microseconds");
    }
    rows_checked_ += host.ledger.check(host.server->port(), world_.traffic);
    if (!host.server->stop())
      throw std::runtime_error("wrong outcome: a server did not end with 0");
  }
  say("every acknowledged write read back");
}

const Cell* Axes::find(const std::string& id) const {
  const auto found = std::ranges::find(cells_, id, &Cell::id);
  return found == cells_.end() ? nullptr : &*found;
}

void Axes::add_to(Report& report) const {
  for (const auto& cell : cells_) report.cells.push_back(&cell);
  report.rows_checked += rows_checked_;
  if (checkpoints_ > 0) {
    report.figures["sqlite_checkpoints"] = checkpoints_;
    report.figures["sqlite_checkpoint_pause_max_us"] = pause_max_us_;
  }
  struct Row {
    std::string name, id, to;
    double Sample::* field = &Sample::per_second;
  };
  const std::vector<Row> rows = {
      {"send_postgres", "postgres_send", "postgres_live"},
      {"send_sqlite", "sqlite_send", "sqlite_live"},
      {"hot", "postgres_hot", "postgres_send"},
      {"actors_hot", "postgres_hot", "postgres_direct_hot"},
      {"actors_spread", "postgres_send", "postgres_direct_send"},
      {"get_epoch", "postgres_epoch", "postgres_live"},
      {"members", "postgres_members_1000", "postgres_send"},
      {"history", "postgres_history", "postgres_send"},
      {"conversations", "postgres_wide", "postgres_send"},
      {"cpu", "postgres_send", "postgres_live", &Sample::cpu_us},
      {"sqlite_p99_ratio", "sqlite_send_80", "postgres_send_80", &Sample::p99_us},
  };
  for (const auto& row : rows) {
    const auto* one = find(row.id);
    const auto* other = find(row.to);
    if (one != nullptr && other != nullptr)
      report.ratios[row.name] = ratio(*one, *other, row.field);
  }
}

}  // namespace catbird::bench
