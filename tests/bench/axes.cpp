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

}  // namespace

std::vector<Group> base_groups() { return {talk, hot, pages, grow}; }
Group talk_group() { return talk; }

Axes::Axes(World& world) : world_(world) {
  const auto base = world.make_postgres("base", base_groups());
  const auto copy = world.postgres().create("base_direct", "base");
  add_base_cells(host("postgres", base), "postgres", "PostgreSQL");
  add_base_cells(host("postgres_direct", copy, {{"ENABLE_ACTOR_SYSTEM", "false"}}),
                 "postgres_direct", "PostgreSQL, actors off");
  add_base_cells(host("sqlite", world.make_sqlite("sqlite", base_groups())), "sqlite", "SQLite");
  add_base_cells(host("sqlite_direct", world.make_sqlite("sqlite_direct", base_groups()),
                      {{"ENABLE_ACTOR_SYSTEM", "false"}}),
                 "sqlite_direct", "SQLite, actors off");
  add_members(world);
  add_sizes(world);
}

Host& Axes::host(const std::string& name, const std::string& database, const Variables& more) {
  hosts_.push_back(world_.make_host(name, database, more));
  hosts_.back().server->start();
  return hosts_.back();
}

Cell& Axes::cell(Host& host, const std::string& id, const std::string& title) {
  cells_.push_back({.id = id, .title = title, .host = &host});
  return cells_.back();
}

void Axes::add_base_cells(Host& host, const std::string& prefix, const std::string& title) {
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
  if (prefix == "postgres") {
    rows.push_back({"live_512", "/health/live, 512 clients", Work::live, &talk, many_clients});
    rows.push_back({"epoch_512", "getEpoch, 512 clients", Work::epoch, &talk, many_clients});
    rows.push_back({"send_512", "sendMessage, 512 clients", Work::send, &talk, many_clients});
    rows.push_back({"send_es256k", "sendMessage, ES256K", Work::send, &talk, 64, true});
  }
  if (prefix == "sqlite_direct") rows = {rows[3], rows[4]};
  for (const auto& row : rows) {
    auto& added = cell(host, prefix + "_" + row.id, title + ": " + row.title);
    added.work = row.work;
    added.group = *row.group;
    added.clients = row.clients;
    added.es256k = row.es256k;
  }
}

void Axes::add_members(World& world) {
  const auto convos = world.sizes.large_convos;
  const Group hundred{.name = "hundred", .convos = convos, .members = 100, .rows = 1};
  const Group thousand{.name = "thousand", .convos = convos, .members = 1'000, .rows = 1};
  auto& large = host("members", world.make_postgres("members", {hundred, thousand}));
  for (const auto* group : {&hundred, &thousand}) {
    auto& added = cell(large, "postgres_members_" + std::to_string(group->members),
                       fmt::format("PostgreSQL: sendMessage, {} members", group->members));
    added.work = Work::send;
    added.group = *group;
  }
}

void Axes::add_sizes(World& world) {
  // Half of all messages are in one conversation: both kinds of a long history.
  const auto each = world.sizes.long_history / 2 / (usual_convos - 1);
  const Group history{.name = "history",
                      .convos = usual_convos,
                      .members = usual_members,
                      .rows = each,
                      .rows_of_first = world.sizes.long_history - each * (usual_convos - 1)};
  const auto messages = world.sizes.long_history;
  auto& old = host("history", world.make_postgres("history", {history}));
  auto& send = cell(old, "postgres_history",
                    fmt::format("PostgreSQL: sendMessage, {} messages of history", messages));
  send.work = Work::send;
  send.group = history;
  auto& page =
      cell(old, "postgres_history_page",
           fmt::format("PostgreSQL: getMessages, anywhere in {} rows", history.rows_of_first));
  page.work = Work::page;
  page.group = history;

  const Group wide{
      .name = "wide", .convos = world.sizes.many_convos, .members = usual_members, .rows = 1};
  auto& many = host("wide", world.make_postgres("wide", {wide}));
  for (const auto work : {Work::send, Work::epoch}) {
    const std::string name = work == Work::send ? "sendMessage" : "getEpoch";
    auto& added = cell(many, work == Work::send ? "postgres_wide" : "postgres_wide_epoch",
                       fmt::format("PostgreSQL: {}, {} conversations", name, wide.convos));
    added.work = work;
    added.group = wide;
  }
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
  for (const std::string store : {"postgres", "sqlite"}) {
    const auto& closed = at(store + "_send");
    auto& open = cell(*closed.host, store + "_send_80",
                      (store == "sqlite" ? "SQLite" : "PostgreSQL") +
                          std::string(": sendMessage, open loop at 80 %"));
    open.work = Work::send;
    open.group = talk;
    open.clients = many_clients;
    open.per_second = high_load * closed.figure(&Sample::per_second);
    open.requests = static_cast<std::size_t>(open.per_second * world_.sizes.open_seconds);
  }
  for (std::size_t i = 0; i < world_.sizes.repetitions; ++i) {
    for (const std::string store : {"postgres", "sqlite"}) {
      measure(world_.traffic, const_cast<Cell&>(at(store + "_send_80")));
    }
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

const Cell& Axes::at(const std::string& id) const {
  const auto found = std::ranges::find(cells_, id, &Cell::id);
  if (found == cells_.end()) throw std::logic_error("no cell " + id);
  return *found;
}

double Axes::ratio(const std::string& id, const std::string& to, double Sample::* field) const {
  const auto& one = at(id).samples;
  const auto& other = at(to).samples;
  std::vector<double> ratios;
  for (std::size_t i = 0; i < one.size(); ++i) ratios.push_back(one[i].*field / other[i].*field);
  return median(ratios);
}

void Axes::add_to(Report& report) const {
  for (const auto& cell : cells_) report.cells.push_back(&cell);
  report.rows_checked += rows_checked_;
  report.figures["sqlite_checkpoints"] = checkpoints_;
  report.figures["sqlite_checkpoint_pause_max_us"] = pause_max_us_;
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
  for (const auto& row : rows) report.ratios[row.name] = ratio(row.id, row.to, row.field);
}

}  // namespace catbird::bench
