// SPDX-License-Identifier: MIT
// What must hold of the store whatever was asked of the server, computed from its tables anew.
#include "base/check.hpp"
#include "core/conversation.hpp"
#include "fuzz/node.hpp"
#include "storage/memory/data.hpp"
#include "storage/tables/conversations.hpp"

#include <algorithm>
#include <optional>
#include <set>

namespace catbird::fuzz {

namespace {

using storage::memory::ConvoRow;
using storage::memory::MemberRow;

// O1, O3, O4: rows 1..N, and each commit leads from the epoch before it.
void check_rows(const ConvoRow& convo) {
  auto epoch = convo.created.epoch;
  std::uint64_t position = 0;
  for (std::size_t i = 0; i < convo.rows.size(); ++i) {
    const auto& row = convo.rows[i].row;
    CATBIRD_CHECK(row.seq.value == i + 1);
    CATBIRD_CHECK(convo.rows[i].position > position);
    position = convo.rows[i].position;
    CATBIRD_CHECK((row.kind == core::Kind::commit) == row.base.has_value());
    if (row.base) {
      CATBIRD_CHECK(*row.base == epoch && row.epoch.value == epoch.value + 1);
      epoch = row.epoch;
    }
    CATBIRD_CHECK(row.epoch == epoch && row.bytes != nullptr && !row.bytes->empty());
    const auto found = convo.by_id.find(row.id);
    CATBIRD_CHECK(found != convo.by_id.end() && found->second == row.seq);
  }
  CATBIRD_CHECK(convo.by_id.size() == convo.rows.size());
  CATBIRD_CHECK(convo.head.last_seq.value == convo.rows.size() && convo.head.epoch == epoch);
}

// A3, U2: somebody may decide while anybody is left, and no mark lies beyond what was written.
void check_members(const ConvoRow& convo) {
  bool anybody = false;
  bool admin = false;
  for (const auto& [user, member] : convo.members) {
    CATBIRD_CHECK(member.read_seq <= convo.head.last_seq);
    CATBIRD_CHECK(member.join_seq <= convo.head.last_seq);
    if (member.left) CATBIRD_CHECK(member.left->seq <= convo.head.last_seq);
    anybody |= !member.left;
    admin |= !member.left && member.admin;
  }
  CATBIRD_CHECK(admin == anybody);
  if (convo.head.group_info) CATBIRD_CHECK(convo.head.group_info->epoch <= convo.head.epoch);
}

// U1, by its definition.
std::uint64_t unread_of(const ConvoRow& convo, const MemberRow& member,
                        const core::SenderTag& tag) {
  return static_cast<std::uint64_t>(std::ranges::count_if(convo.rows, [&](const auto& one) {
    const auto& row = one.row;
    return row.kind == core::Kind::app && row.tag != tag &&
           row.seq > std::max(member.read_seq, member.join_seq);
  }));
}

void check_listing(Node& node, const core::Did& user) {
  storage::ConvoQuery query;
  query.user = user;
  query.tag = [&](const core::ConvoId& convo) { return node.services().tags.of(convo, user); };
  const auto page = node.reader().convos(query);
  CATBIRD_CHECK(page.has_value() && !page->more);
  std::size_t active = 0;
  for (const auto& [id, convo] : node.disk().data().convos) {
    const auto member = convo.members.find(user);
    if (member == convo.members.end() || member->second.left) continue;
    ++active;
    const auto view = std::ranges::find(page->convos, id, &storage::ConvoView::id);
    CATBIRD_CHECK(view != page->convos.end() && view->epoch == convo.head.epoch);
    CATBIRD_CHECK(view->unread == unread_of(convo, member->second, query.tag(id)));
  }
  CATBIRD_CHECK(page->convos.size() == active);
}

// What an actor answers from memory is what the store would let it answer (O8).
void check_access(Node& node, const core::ConvoId& id, const core::Did& user) {
  const core::Conversation stored(node.reader().load(id)->state);
  const auto expected = stored.access(user);
  std::optional<Result<core::Access>> seen;
  node.services().gateway.access(id, user, actors::Instant::max(),
                                 [&](Result<core::Access> answer) { seen = std::move(answer); });
  node.settle();
  CATBIRD_CHECK(seen.has_value() && seen->has_value() == expected.has_value());
  if (!expected) return;
  const auto& got = **seen;
  CATBIRD_CHECK(got.active == expected->active && got.after == expected->after);
  CATBIRD_CHECK(got.until == expected->until && got.last_seq == expected->last_seq);
  CATBIRD_CHECK(got.read_seq == expected->read_seq && got.epoch == expected->epoch);
}

// K1, K3: a used package is reserved to nobody, and each has its two names.
void check_packages(const storage::MemoryDisk::Data& data) {
  for (const auto& [id, row] : data.packages) {
    CATBIRD_CHECK(!row.consumed_at || (!row.state.reserved_by && !row.state.last_resort));
    for (const auto& name : {row.package.ref, row.package.hash}) {
      const auto found = data.package_ids.find(name);
      CATBIRD_CHECK(found != data.package_ids.end() && found->second == id);
    }
  }
  CATBIRD_CHECK(data.package_ids.size() == 2 * data.packages.size());
}

// Each has its place in the log, which is nobody else's. Gives how many there are.
std::size_t check_notices(const storage::MemoryDisk::Data& data) {
  const auto table = data.tables.find(std::string(storage::NoticeRecord::table().name));
  if (table == data.tables.end()) return 0;
  for (const auto& [key, cells] : table->second) {
    const auto notice = storage::row_of_cells<storage::NoticeRecord>(cells);
    CATBIRD_CHECK(notice.position >= 1 && notice.position <= data.log.size());
    const auto& [convo, seq] = data.log[notice.position - 1];
    CATBIRD_CHECK(convo == notice.convo && seq == storage::memory::no_row);
  }
  return table->second.size();
}

}  // namespace

void check_store(Node& node) {
  const auto& data = node.disk().data();
  std::set<core::Did> users;
  std::size_t rows = 0;
  for (const auto& [id, convo] : data.convos) {
    check_rows(convo);
    check_members(convo);
    rows += convo.rows.size();
    const auto group = data.groups.find(convo.created.group_id);
    CATBIRD_CHECK(group != data.groups.end() && group->second == id);
    for (const auto& [user, member] : convo.members) {
      users.insert(user);
      check_access(node, id, user);
    }
  }
  CATBIRD_CHECK(data.log.size() == rows + check_notices(data));
  CATBIRD_CHECK(data.groups.size() == data.convos.size());
  for (const auto& user : users) {
    check_listing(node, user);
    // Whatever anybody wrote, the others can still read their list.
    const auto list = node.get("getConvos", user.value);
    CATBIRD_CHECK(list.status == 200);
    check_answer(list);
  }
  check_packages(data);
}

}  // namespace catbird::fuzz
