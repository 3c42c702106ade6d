// SPDX-License-Identifier: MIT
#pragma once

#include "bench/http_load.hpp"
#include "bench/traffic.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace catbird::bench {

/// What one database acknowledged, and whether it is there: every acknowledged write once, the
/// numbers 1..N without a gap, and nothing that nobody sent. Throws std::runtime_error on the first
/// wrong outcome.
class Ledger {
 public:
  /// A sendMessage was answered 200 with `body`.
  void sent(const Group& group, std::size_t convo, std::uint64_t message, std::string_view body);
  /// Refused; whether it has an effect is unknown (D3), but not more than one.
  void refused(std::uint64_t message) { refused_.insert(message); }
  /// An addMembers on `epoch` was answered 200 with `body`.
  void committed(const Group& group, std::size_t convo, std::uint64_t epoch, std::string_view body);

  /// The epoch that the next commit of a conversation stands on.
  std::uint64_t epoch(const Group& group, std::size_t convo);

  /// Reads everything back over the API. Gives the number of rows compared.
  std::size_t check(std::uint16_t port, Traffic& traffic);

  struct Convo {
    Group group;
    std::size_t number = 0;
    std::vector<std::uint64_t> messages;  // by seq, from the first that was not seeded; 0: none
    std::uint64_t commits = 0;
    std::size_t seeded() const { return group.rows_in(number); }
  };
  struct Page {
    const Convo* convo = nullptr;
    std::size_t since = 0;
    std::size_t rows = 0;  // that it must have at least
  };
  /// What must be read: every row, and for each conversation an end.
  std::vector<Page> pages() const;
  /// Compares one answer of getMessages. Gives the number of its rows.
  std::size_t check_page(const Page& page, std::string_view body);

 private:
  Convo& at(const Group& group, std::size_t convo);
  std::size_t check_pages(std::uint16_t port, Traffic& traffic, std::span<const Page> pages);

  std::map<std::string, Convo> convos_;
  std::set<std::uint64_t> refused_;
};

}  // namespace catbird::bench
