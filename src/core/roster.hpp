// SPDX-License-Identifier: MIT
#pragma once

#include "core/types.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace catbird::core {

/// Where a membership ended.
struct Departure {
  Seq seq;
  Epoch epoch;
  Timestamp at;
  friend bool operator==(const Departure&, const Departure&) = default;
};

/// A user of a conversation, present or departed, with its devices. The form in which a roster is
/// filled and looked at.
struct Member {
  Did user;
  bool admin = false;
  bool moderator = false;
  Seq join_seq;
  std::optional<Departure> left;
  Seq read_seq;
  std::vector<DeviceId> devices;  // sorted

  bool active() const { return !left.has_value(); }
  friend bool operator==(const Member&, const Member&) = default;
};

/// The members of one conversation, sorted by user. Nobody is ever taken out: who leaves stays as
/// departed. Packed, because rosters are most of the memory of an idle conversation: all names in
/// one block, and what few members have (a departure) or what is small (devices) apart.
class Roster {
 public:
  class Entry {
   public:
    Seq join_seq;
    Seq read_seq;
    bool admin : 1 = false;
    bool moderator : 1 = false;

    bool active() const { return active_; }

   private:
    friend class Roster;
    bool active_ : 1 = true;
    std::uint16_t name_size_ = 0;
    std::uint32_t name_at_ = 0;  // also the entry's identity in the lists beside it
  };

  /// Room for so many members with so many bytes of text (names, devices) together, and not more.
  void reserve(std::size_t members, std::size_t devices, std::size_t text_bytes);
  /// A new member in its place; must not be there yet. Entries found before are void.
  Entry& insert(const Did& user);
  void add(const Member& member);
  /// Ends the membership: no departed member has devices or a role. Entries found before are
  /// void.
  void leave(Entry& entry, const Departure& left);
  void come_back(Entry& entry);
  /// Once however often it is called.
  void add_device(const Entry& entry, const DeviceId& device);

  const Entry* find(const Did& user) const;
  Entry* find(const Did& user);
  std::string_view name(const Entry& entry) const { return text(entry.name_at_, entry.name_size_); }
  /// Null while active.
  const Departure* left(const Entry& entry) const;
  std::vector<DeviceId> devices(const Entry& entry) const;
  std::span<const Entry> entries() const { return entries_; }

  std::size_t size() const { return entries_.size(); }
  /// By place in the order; must be there.
  Member at(std::size_t place) const;
  std::vector<Member> all() const;
  /// What it holds of the heap, about.
  std::size_t bytes() const;

  friend bool operator==(const Roster& a, const Roster& b) { return a.all() == b.all(); }

 private:
  struct Device {
    std::uint32_t owner = 0;
    std::uint32_t at = 0;
    std::uint16_t size = 0;
  };
  struct Gone {
    std::uint32_t owner = 0;
    Departure left;
  };

  std::string_view text(std::size_t at, std::size_t size) const {
    return std::string_view(texts_).substr(at, size);
  }
  std::size_t place_of(std::string_view user) const;
  std::uint32_t keep(std::string_view text);
  void tidy();

  std::string texts_;  // names and devices, in the order of arrival
  std::vector<Entry> entries_;
  std::vector<Device> devices_;  // by owner, then by text
  std::vector<Gone> gone_;       // by owner
  std::size_t unused_ = 0;       // bytes of texts_ that nothing names any more
};

}  // namespace catbird::core
