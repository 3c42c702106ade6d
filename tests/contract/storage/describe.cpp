// SPDX-License-Identifier: MIT
#include "contract/storage/describe.hpp"

#include <array>
#include <sstream>

namespace catbird::storage {

namespace {

class Text {
 public:
  template <class T, class Tag>
  Text& operator<<(const Strong<T, Tag>& value) {
    return *this << value.value;
  }
  template <class T>
  Text& operator<<(const std::optional<T>& value) {
    return value ? *this << *value : *this << "-";
  }
  template <std::size_t n>
  Text& operator<<(const std::array<std::uint8_t, n>& bytes) {
    return *this << to_hex(bytes);
  }
  Text& operator<<(const Bytes& bytes) { return *this << to_hex(bytes); }
  Text& operator<<(const Blob& blob) { return *this << *blob; }
  Text& operator<<(core::Kind kind) { return *this << static_cast<int>(kind); }
  Text& operator<<(const char* text) { return *this << std::string(text); }
  template <class T>
    requires std::is_arithmetic_v<T> || std::is_same_v<T, std::string>
  Text& operator<<(const T& value) {
    out_ << value << ' ';
    return *this;
  }
  std::string str() const { return out_.str(); }

 private:
  std::ostringstream out_;
};

void add(Text& out, const core::KnownKey& known) {
  out << known.key << known.payload << known.tag << known.outcome.seq << known.outcome.epoch
      << known.outcome.at << known.outcome.detail << "\n";
}

}  // namespace

std::string describe(const core::Snapshot& state) {
  Text out;
  out << state.exists << state.group_id << state.creator << state.suite << state.created_at
      << state.creation_epoch << state.epoch << state.last_seq << state.group_info_epoch << "\n";
  for (const auto& member : state.members.all()) {
    out << member.user << member.admin << member.moderator << member.join_seq << member.read_seq;
    if (member.left) out << "left" << member.left->seq << member.left->epoch << member.left->at;
    for (const auto& device : member.devices) out << "device" << device;
    out << "\n";
  }
  const auto& policy = state.policy;
  out << policy.allow_invites << policy.admin_only_invites << policy.allow_member_add
      << policy.allow_member_remove << policy.require_admin_approval << policy.max_members;
  return out.str();
}

std::string describe(const std::vector<NoticeRecord>& notices) {
  Text out;
  for (const auto& one : notices) {
    out << one.position << one.convo << static_cast<int>(one.kind) << one.user << one.actor
        << one.device << one.reference << one.words << one.seq << one.epoch << one.at << "\n";
  }
  return out.str();
}

std::string describe(const core::KnownKey& known) {
  Text out;
  add(out, known);
  return out.str();
}

std::string describe(const Reader::Keys& keys) {
  Text out;
  for (const auto& known : keys.keys) add(out, known);
  out << (keys.complete ? "complete" : "not all");
  return out.str();
}

std::string describe(const std::vector<Row>& rows) {
  Text out;
  for (const auto& row : rows) {
    out << row.convo << row.position << row.seq << row.epoch << row.kind << row.id << row.committer
        << row.at << row.bytes << "\n";
  }
  return out.str();
}

std::string describe(const ConvoPage& page) {
  Text out;
  for (const auto& view : page.convos) {
    out << view.id << view.group_id << view.creator << view.suite << view.name << view.epoch
        << view.created_at << view.last_message_at << view.unread << "\n";
    for (const auto& member : view.members) {
      out << member.user << member.admin << member.joined_at << member.promoted_at;
      for (const auto& device : member.devices) out << "device" << device;
      out << "\n";
    }
  }
  out << (page.more ? "more" : "all");
  return out.str();
}

std::string describe(const std::vector<Window>& windows) {
  Text out;
  for (const auto& window : windows) out << window.convo << window.after << "\n";
  return out.str();
}

std::string describe(const std::optional<GroupInfoView>& info) {
  Text out;
  if (info) out << info->bytes << info->epoch << info->at;
  return out.str();
}

std::string describe(const std::optional<WelcomeView>& welcome) {
  Text out;
  if (welcome) out << welcome->bytes << welcome->epoch;
  return out.str();
}

std::string describe(const std::vector<KeyPackageFacts>& facts) {
  Text out;
  for (const auto& one : facts) {
    out << one.ref << one.hash << one.user << one.device << one.suite << one.last_resort
        << one.consumed << one.reserved_by << "\n";
  }
  return out.str();
}

std::string describe(const std::vector<SuiteStats>& stats) {
  Text out;
  for (const auto& one : stats) {
    out << one.suite << one.available << one.reserved << one.consumed << one.total
        << one.consumed_24h << one.consumed_7d << one.oldest_expiry << "\n";
  }
  return out.str();
}

std::string describe(const std::vector<ReservedKeyPackage>& reserved) {
  Text out;
  for (const auto& one : reserved) {
    out << one.user << one.device << one.suite << one.hash << one.ref << one.bytes
        << one.last_resort << "\n";
  }
  return out.str();
}

std::string describe(const std::vector<PackageView>& packages) {
  Text out;
  for (const auto& one : packages) {
    out << one.hash << one.device << one.suite << one.last_resort << one.reserved
        << one.published_at << one.consumed_at << "\n";
  }
  return out.str();
}

}  // namespace catbird::storage
