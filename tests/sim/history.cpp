// SPDX-License-Identifier: MIT
#include "sim/history.hpp"

#include <algorithm>
#include <set>

namespace catbird::sim {

void History::acknowledge(Acknowledged ack) {
  auto [it, fresh] = acks_.try_emplace({ack.convo, ack.id}, ack);
  if (fresh) return;
  if (it->second.outcome.seq != ack.outcome.seq || it->second.outcome.epoch != ack.outcome.epoch ||
      it->second.outcome.at != ack.outcome.at) {
    violate("P1: " + ack.convo + "/" + ack.id + " was answered twice and differently");
  }
  it->second.answered = std::min(it->second.answered, ack.answered);
}

void History::observed(const std::string& convo, core::Seq last, core::Epoch epoch, Span span) {
  for (const auto& [key, ack] : acks_) {
    if (key.first != convo || ack.answered >= span.invoked) continue;
    if (ack.outcome.seq > last) violate("O5: a read of " + convo + " missed an earlier ack");
    if (ack.kind == core::Kind::commit && ack.outcome.epoch > epoch) {
      violate("O5: a read of " + convo + " showed an epoch older than an ack");
    }
  }
  for (const auto& before : shown_[convo]) {
    if (before.at >= span.invoked) break;
    if (before.last > last || before.epoch > epoch) {
      violate("L6: a read of " + convo + " showed less than was shown before it");
      break;
    }
  }
  show(convo, {last, epoch, span.answered});
}

void History::told_epoch(const std::string& convo, core::Epoch epoch, actors::Instant answered) {
  show(convo, {{}, epoch, answered});
}

void History::show(const std::string& convo, Shown shown) {
  auto& all = shown_[convo];
  if (!all.empty()) {
    shown.last = std::max(shown.last, all.back().last);
    shown.epoch = std::max(shown.epoch, all.back().epoch);
    if (shown.last == all.back().last && shown.epoch == all.back().epoch) return;
  }
  all.push_back(shown);
}

void History::check(const std::string& convo, core::Epoch creation,
                    const std::vector<storage::Row>& rows) {
  check_numbers(convo, rows);
  check_epochs(convo, creation, rows);
  check_acks(convo, rows);
  check_real_time(convo);
}

void History::check_numbers(const std::string& convo, const std::vector<storage::Row>& rows) {
  std::set<std::string> ids;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].seq.value != i + 1) violate("O3: a gap or a duplicate number in " + convo);
    if (!ids.insert(rows[i].id.value).second) violate("P1: " + rows[i].id.value + " stored twice");
  }
  const auto& shown = shown_[convo];
  if (!shown.empty() && shown.back().last.value > rows.size()) {
    violate("D1: a read of " + convo + " showed rows that were not durable");
  }
}

void History::check_epochs(const std::string& convo, core::Epoch creation,
                           const std::vector<storage::Row>& rows) {
  auto epoch = creation;
  for (const auto& row : rows) {
    const auto expected = row.kind == core::Kind::commit ? epoch.value + 1 : epoch.value;
    if (row.epoch.value != expected) violate("O1/O4: the epochs of " + convo + " are not a chain");
    epoch = row.epoch;
  }
  const auto& shown = shown_[convo];
  if (!shown.empty() && shown.back().epoch > epoch) {
    violate("D1: " + convo + " was shown in an epoch that was lost");
  }
}

void History::check_acks(const std::string& convo, const std::vector<storage::Row>& rows) {
  for (const auto& [key, ack] : acks_) {
    if (key.first != convo) continue;
    const auto seq = ack.outcome.seq.value;
    if (seq == 0 || seq > rows.size()) {
      violate("D1: acknowledged " + ack.id + " is not stored");
      continue;
    }
    const auto& row = rows[seq - 1];
    const bool same =
        ack.kind == core::Kind::commit ? row.kind == core::Kind::commit : row.id.value == ack.id;
    if (!same || row.epoch != ack.outcome.epoch) {
      violate("O3: acknowledged " + ack.id + " is stored as something else");
    }
  }
}

// If the answer to A came before B was asked, A has the smaller number.
void History::check_real_time(const std::string& convo) {
  std::vector<const Acknowledged*> mine;
  for (const auto& [key, ack] : acks_) {
    if (key.first == convo) mine.push_back(&ack);
  }
  for (const auto* a : mine) {
    for (const auto* b : mine) {
      if (a->answered < b->invoked && a->outcome.seq > b->outcome.seq) {
        violate("O5: " + a->id + " was answered before " + b->id + " was asked, but comes after");
      }
    }
  }
}

}  // namespace catbird::sim
