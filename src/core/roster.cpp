// SPDX-License-Identifier: MIT
#include "core/roster.hpp"

#include "base/check.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace catbird::core {

static_assert(sizeof(Roster::Entry) == 24);

namespace {

/// Texts of devices that are gone are swept once there are so many bytes of them, and a half.
constexpr std::size_t unused_bytes_max = 256;

std::uint16_t length_of(std::string_view text) {
  CATBIRD_CHECK(text.size() <= std::numeric_limits<std::uint16_t>::max());
  return static_cast<std::uint16_t>(text.size());
}

}  // namespace

void Roster::reserve(std::size_t members, std::size_t devices, std::size_t text_bytes) {
  entries_.reserve(members);
  devices_.reserve(devices);
  texts_.reserve(text_bytes);
}

std::uint32_t Roster::keep(std::string_view text) {
  CATBIRD_CHECK(texts_.size() + text.size() <= std::numeric_limits<std::uint32_t>::max());
  const auto at = static_cast<std::uint32_t>(texts_.size());
  texts_ += text;
  return at;
}

std::size_t Roster::place_of(std::string_view user) const {
  const auto it = std::ranges::lower_bound(entries_, user, {},
                                           [this](const Entry& entry) { return name(entry); });
  return static_cast<std::size_t>(it - entries_.begin());
}

const Roster::Entry* Roster::find(const Did& user) const {
  const auto place = place_of(user.value);
  if (place == entries_.size() || name(entries_[place]) != user.value) return nullptr;
  return &entries_[place];
}

Roster::Entry* Roster::find(const Did& user) {
  return const_cast<Entry*>(
      std::as_const(*this).find(user));  // NOLINT(*const-cast): ours to change
}

Roster::Entry& Roster::insert(const Did& user) {
  const auto place = place_of(user.value);
  CATBIRD_CHECK(place == entries_.size() || name(entries_[place]) != user.value);
  Entry entry;
  entry.name_size_ = length_of(user.value);
  CATBIRD_CHECK(entry.name_size_ > 0);  // else two entries would have one name_at_
  entry.name_at_ = keep(user.value);
  return *entries_.insert(entries_.begin() + static_cast<std::ptrdiff_t>(place), entry);
}

void Roster::add(const Member& member) {
  auto& entry = insert(member.user);
  entry.admin = member.admin;
  entry.moderator = member.moderator;
  entry.join_seq = member.join_seq;
  entry.read_seq = member.read_seq;
  for (const auto& device : member.devices) add_device(entry, device);
  if (member.left) leave(entry, *member.left);
}

void Roster::leave(Entry& entry, const Departure& left) {
  CATBIRD_CHECK(entry.active_);
  entry.active_ = false;
  entry.admin = false;
  entry.moderator = false;
  const auto owner = entry.name_at_;
  gone_.insert(std::ranges::lower_bound(gone_, owner, {}, &Gone::owner), {owner, left});
  std::erase_if(devices_, [&](const Device& device) {
    if (device.owner != owner) return false;
    unused_ += device.size;
    return true;
  });
  if (unused_ > unused_bytes_max && unused_ > texts_.size() / 2) tidy();
}

void Roster::come_back(Entry& entry) {
  CATBIRD_CHECK(!entry.active_);
  entry.active_ = true;
  gone_.erase(std::ranges::lower_bound(gone_, entry.name_at_, {}, &Gone::owner));
}

void Roster::add_device(const Entry& entry, const DeviceId& device) {
  const auto key = std::pair(entry.name_at_, std::string_view(device.value));
  const auto it = std::ranges::lower_bound(devices_, key, {}, [this](const Device& one) {
    return std::pair(one.owner, text(one.at, one.size));
  });
  if (it != devices_.end() && it->owner == key.first && text(it->at, it->size) == key.second) {
    return;
  }
  Device fresh{.owner = entry.name_at_, .size = length_of(device.value)};
  const auto place = it - devices_.begin();
  fresh.at = keep(device.value);
  devices_.insert(devices_.begin() + place, fresh);
}

// Entries stay where they are; what names them inside is made anew.
void Roster::tidy() {
  Roster fresh;
  for (const auto& member : all()) fresh.add(member);
  *this = std::move(fresh);
}

const Departure* Roster::left(const Entry& entry) const {
  if (entry.active_) return nullptr;
  return &std::ranges::lower_bound(gone_, entry.name_at_, {}, &Gone::owner)->left;
}

std::vector<DeviceId> Roster::devices(const Entry& entry) const {
  std::vector<DeviceId> found;
  for (const auto& one : std::ranges::equal_range(devices_, entry.name_at_, {}, &Device::owner)) {
    found.emplace_back(std::string(text(one.at, one.size)));
  }
  return found;
}

Member Roster::at(std::size_t place) const {
  const auto& entry = entries_.at(place);
  const auto* gone = left(entry);
  return {.user = Did(std::string(name(entry))),
          .admin = entry.admin,
          .moderator = entry.moderator,
          .join_seq = entry.join_seq,
          .left = gone != nullptr ? std::optional(*gone) : std::nullopt,
          .read_seq = entry.read_seq,
          .devices = devices(entry)};
}

std::vector<Member> Roster::all() const {
  std::vector<Member> members;
  members.reserve(size());
  for (std::size_t place = 0; place < size(); ++place) members.push_back(at(place));
  return members;
}

std::size_t Roster::bytes() const {
  return texts_.capacity() + entries_.capacity() * sizeof(Entry) +
         devices_.capacity() * sizeof(Device) + gone_.capacity() * sizeof(Gone);
}

}  // namespace catbird::core
