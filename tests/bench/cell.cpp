// SPDX-License-Identifier: MIT
#include "bench/cell.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <memory>
#include <stdexcept>

namespace catbird::bench {

namespace {

constexpr std::size_t pilot_requests = 2'000;
constexpr std::size_t requests_min = 200;
constexpr std::size_t requests_max = 100'000;
constexpr std::size_t page_rows = 50;
/// DIDs that are new to a server at the same time, each of which it looks up.
constexpr std::size_t look_ups_max = 8;
constexpr int ok = 200;
constexpr int too_many = 429;
constexpr int unavailable = 503;

/// Which conversation a request is for, and with what: a message's number or a commit's epoch.
struct Target {
  std::size_t convo = 0;
  std::uint64_t with = 0;
};

/// Commits of one conversation follow each other: one client sends them all, so its conversations
/// are those with its number modulo the clients.
Target commit_target(Cell& cell, std::size_t request) {
  const auto each = cell.group.convos / cell.clients;
  if (each == 0) throw std::logic_error("fewer conversations than clients");
  const auto round = request / cell.clients;
  const auto convo = request % cell.clients + cell.clients * (round % each);
  return {convo, cell.host->ledger.epoch(cell.group, convo) + round / each};
}

std::string page_query(const Cell& cell, std::size_t request, std::size_t convo) {
  const auto rows = cell.group.rows_in(convo);
  constexpr std::size_t stride = 7'919;  // a prime: somewhere else each time
  const auto pages = rows / page_rows;
  const auto since = pages == 0 ? 0 : request * stride % pages * page_rows;
  return fmt::format("limit={}&sinceSeq={}", page_rows, since);
}

std::string make_request(Traffic& traffic, const Cell& cell, std::size_t request,
                         const Target& target) {
  switch (cell.work) {
    case Work::live:
      return traffic.health();
    case Work::epoch:
      return traffic.get_epoch(cell.group, target.convo);
    case Work::page:
      return traffic.get_messages(cell.group, target.convo,
                                  page_query(cell, request, target.convo));
    case Work::send:
      return traffic.send_message(cell.group, target.convo, target.with);
    case Work::commit:
      return traffic.add_members(cell.group, target.convo, target.with);
  }
  throw std::logic_error("no such work");
}

Target target_of(Traffic& traffic, Cell& cell, std::size_t request) {
  if (cell.work == Work::commit) return commit_target(cell, request);
  // Reads of a long history are of the conversation that has one.
  const bool one = cell.work == Work::page && cell.group.rows_of_first != 0;
  const auto convo = cell.work == Work::live || one ? 0 : request % cell.group.convos;
  return {convo, cell.work == Work::send ? traffic.next_message() : 0};
}

void account(Cell& cell, const Target& target, const Answer& answer) {
  auto& ledger = cell.host->ledger;
  if (answer.status == ok) {
    if (cell.work == Work::send) ledger.sent(cell.group, target.convo, target.with, answer.body);
    if (cell.work == Work::commit) {
      ledger.committed(cell.group, target.convo, target.with, answer.body);
    }
    return;
  }
  const bool refused = answer.status == too_many || answer.status == unavailable;
  if (!cell.may_refuse || !refused) {
    throw std::runtime_error(
        fmt::format("wrong outcome: {} answered {} {}", cell.id, answer.status, answer.body));
  }
  if (cell.work == Work::send) ledger.refused(target.with);
}

double database_cpu_seconds(const Host& host) {
  return host.postgres == nullptr ? 0 : host.postgres->cpu_seconds();
}

}  // namespace

double Cell::figure(double Sample::* field) const {
  std::vector<double> values;
  values.reserve(samples.size());
  for (const auto& sample : samples) values.push_back(sample.*field);
  return median(values);
}

Requests make_requests(Traffic& traffic, Cell& cell, std::size_t count) {
  Requests out;
  out.plan = {.port = cell.host->server->port(),
              .clients = cell.clients,
              .requests = {},
              .per_second = cell.per_second,
              .pinned = cell.work == Work::commit};
  auto targets = std::make_shared<std::vector<Target>>();
  traffic.use_es256k(cell.es256k);
  for (std::size_t i = 0; i < count; ++i) {
    targets->push_back(target_of(traffic, cell, i));
    out.plan.requests.push_back(make_request(traffic, cell, i, targets->back()));
  }
  traffic.use_es256k(false);
  out.on_answer = [targets, &cell](const Answer& answer) {
    account(cell, (*targets)[answer.request], answer);
  };
  return out;
}

LoadResult run_once(Traffic& traffic, Cell& cell, std::size_t count) {
  const auto requests = make_requests(traffic, cell, count);
  return run_load(requests.plan, requests.on_answer);
}

void warm_up(Traffic& traffic, Cell& cell, double seconds) {
  const auto clients = cell.clients;
  if (cell.es256k) cell.clients = look_ups_max;
  if (cell.work != Work::live) run_once(traffic, cell, std::max(clients, cell.group.convos));
  cell.clients = clients;
  const auto rate = run_once(traffic, cell, pilot_requests).per_second();
  cell.requests = std::clamp(static_cast<std::size_t>(rate * seconds), requests_min, requests_max);
}

LoadResult measure(Traffic& traffic, Cell& cell) {
  const auto requests = make_requests(traffic, cell, cell.requests);
  const auto cpu = cell.host->server->cpu_seconds();
  const auto database_cpu = database_cpu_seconds(*cell.host);
  auto result = run_load(requests.plan, requests.on_answer);
  const auto used = cell.host->server->cpu_seconds() - cpu;
  const auto database_used = database_cpu_seconds(*cell.host) - database_cpu;
  const auto answers = static_cast<double>(result.latencies_us.size());
  cell.samples.push_back({.per_second = result.per_second(),
                          .p50_us = result.percentile_us(50),
                          .p99_us = result.percentile_us(99),
                          .p999_us = result.percentile_us(99.9),
                          .cpu_us = used * 1e6 / answers,
                          .database_cpu_us = database_used * 1e6 / answers,
                          .generator_share = result.generator_cpu_seconds / result.seconds});
  cell.latencies_us.insert(cell.latencies_us.end(), result.latencies_us.begin(),
                           result.latencies_us.end());
  // The last slot is not a whole one.
  for (std::size_t slot = 0; slot + 1 < result.per_slot.size(); ++slot) {
    cell.answers_per_second.push_back(static_cast<double>(result.per_slot[slot]) * 1000 /
                                      static_cast<double>(LoadResult::slot_ms));
  }
  return result;
}

}  // namespace catbird::bench
