// SPDX-License-Identifier: MIT
#include "bench/ledger.hpp"

#include <fmt/core.h>

#include <cstdlib>
#include <optional>
#include <stdexcept>

namespace catbird::bench {

namespace {

constexpr std::size_t page_rows = 100;        // getMessages.limit at most
constexpr std::size_t pages_at_once = 4'096;  // made before they are sent: memory
constexpr std::size_t clients = 64;

[[noreturn]] void wrong(const std::string& what) {
  throw std::runtime_error("wrong outcome: " + what);
}

/// Walks through the values of one JSON key, in order of their appearance.
class Values {
 public:
  Values(std::string_view json, std::string_view key)
      : json_(json), key_(fmt::format("\"{}\":", key)) {}

  std::optional<std::string_view> next() {
    at_ = json_.find(key_, at_);
    if (at_ == std::string_view::npos) return std::nullopt;
    at_ += key_.size();
    if (json_[at_] == '"') ++at_;
    return json_.substr(at_, json_.find_first_of("\",}", at_) - at_);
  }
  std::optional<std::uint64_t> number() {
    const auto text = next();
    if (!text) return std::nullopt;
    return std::strtoull(std::string(*text).c_str(), nullptr, 10);
  }

 private:
  std::string_view json_;
  std::string key_;
  std::size_t at_ = 0;
};

}  // namespace

Ledger::Convo& Ledger::at(const Group& group, std::size_t convo) {
  auto& entry = convos_[group.convo(convo)];
  if (entry.group.name.empty()) {
    entry.group = group;
    entry.number = convo;
  }
  return entry;
}

void Ledger::sent(const Group& group, std::size_t convo, std::uint64_t message,
                  std::string_view body) {
  auto& entry = at(group, convo);
  const auto seq = Values(body, "seq").number().value_or(0);
  const auto id = Values(body, "messageId").next();
  if (!id || message_number(*id) != message)
    wrong(fmt::format("another message's answer: {}", body));
  if (seq <= entry.seeded()) wrong(fmt::format("a number given before: {}", body));
  const auto index = seq - entry.seeded() - 1;
  if (entry.messages.size() <= index) entry.messages.resize(index + 1);
  if (entry.messages[index] != 0) wrong(fmt::format("a number given twice: {}", body));
  entry.messages[index] = message;
}

void Ledger::committed(const Group& group, std::size_t convo, std::uint64_t epoch,
                       std::string_view body) {
  auto& entry = at(group, convo);
  const auto led_to = Values(body, "newEpoch").number();
  if (led_to != epoch + 1 || entry.commits != epoch)
    wrong(fmt::format("a commit's epoch: {}", body));
  ++entry.commits;
}

std::uint64_t Ledger::epoch(const Group& group, std::size_t convo) {
  return at(group, convo).commits;
}

std::size_t Ledger::check(std::uint16_t port, Traffic& traffic) {
  const auto all = pages();
  std::size_t rows = 0;
  for (std::size_t done = 0; done < all.size(); done += pages_at_once) {
    const auto some = std::min(pages_at_once, all.size() - done);
    rows += check_pages(port, traffic, std::span(all).subspan(done, some));
  }
  return rows;
}

std::vector<Ledger::Page> Ledger::pages() const {
  std::vector<Page> pages;
  for (const auto& [id, convo] : convos_) {
    const auto all = convo.seeded() + convo.messages.size() + convo.commits;
    for (auto since = convo.seeded();; since += page_rows) {
      pages.push_back({&convo, since, std::min(page_rows, all - since)});
      if (pages.back().rows < page_rows) break;
    }
  }
  return pages;
}

std::size_t Ledger::check_pages(std::uint16_t port, Traffic& traffic, std::span<const Page> pages) {
  LoadPlan plan{.port = port, .clients = clients, .requests = {}};
  for (const auto& page : pages) {
    plan.requests.push_back(
        traffic.get_messages(page.convo->group, page.convo->number,
                             fmt::format("limit={}&sinceSeq={}", page_rows, page.since)));
  }
  std::size_t rows = 0;
  const auto result = run_load(plan, [&](const Answer& answer) {
    if (answer.status == 200) rows += check_page(pages[answer.request], answer.body);
  });
  if (result.failed() != 0) wrong("a page was refused: " + result.first_failure);
  return rows;
}

std::size_t Ledger::check_page(const Page& page, std::string_view body) {
  const auto& convo = *page.convo;
  Values ids(body, "id");
  Values numbers(body, "seq");
  Values epochs(body, "epoch");
  std::size_t rows = 0;
  for (auto seq = page.since; const auto number = numbers.number(); ++rows) {
    const auto id = ids.next();
    const auto epoch = epochs.number();
    if (*number != ++seq) wrong(fmt::format("a gap before {} of {}", *number, convo.group.name));
    const auto index = seq - convo.seeded() - 1;
    if (convo.commits != 0) {
      if (epoch != index + 1) wrong(fmt::format("commit {} leads to another epoch", seq));
      continue;
    }
    const auto expected = index < convo.messages.size() ? convo.messages[index] : 0;
    const auto stored = message_number(*id);
    // Nothing acknowledged stands here: then it is one that was refused, and once.
    if (expected == 0 && refused_.erase(stored) == 1) continue;
    if (stored != expected) {
      wrong(fmt::format("row {} of {} is {}, acknowledged was {}", seq,
                        convo.group.convo(convo.number), stored, expected));
    }
  }
  if (rows < page.rows) wrong(fmt::format("{} rows are missing", page.rows - rows));
  return rows;
}

}  // namespace catbird::bench
