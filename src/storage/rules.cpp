// SPDX-License-Identifier: MIT
#include "storage/rules.hpp"

#include "base/mutant.hpp"
#include "core/limits.hpp"

#include <algorithm>
#include <map>
#include <utility>
#include <variant>

namespace catbird::storage {

namespace {

std::unexpected<Error> contradiction(const char* what) {
  return fail(Errc::internal, std::string("write set: ") + what);
}

bool is_creation(const core::Event& event) {
  return std::holds_alternative<core::ConvoCreated>(event);
}

// JSON around the values of a conversation and of a member, generously.
constexpr std::size_t convo_json_bytes = 400;
constexpr std::size_t member_json_bytes = 220;

}  // namespace

Result<void> check_write_set(const WriteSet& set) {
  const auto creations = std::ranges::count_if(set.events, is_creation);
  if (creations != (set.creates ? 1 : 0)) return contradiction("creation and flag disagree");
  if (set.creates && !is_creation(set.events.front()))
    return contradiction("creation is not first");

  auto seq = set.last_seq;
  auto epoch = set.creates ? std::get<core::ConvoCreated>(set.events.front()).epoch : set.epoch;
  bool noted = false;
  for (const auto& event : set.events) {
    noted = noted || std::holds_alternative<core::Noted>(event);
    const auto* row = std::get_if<core::RowAppended>(&event);
    if (row == nullptr) continue;
    if (noted) return contradiction("row behind a notice");
    if (row->seq.value != ++seq.value) return contradiction("seq does not follow");
    if (row->bytes == nullptr) return contradiction("row without bytes");
    if ((row->kind == core::Kind::commit) != row->base.has_value()) {
      return contradiction("only commits have a base epoch");
    }
    if (row->base) {
      if (*row->base != epoch) return contradiction("commit on another epoch");
      ++epoch.value;
    }
    if (row->epoch != epoch) return contradiction("row of another epoch");
  }
  if (mutant("max_seq_plus_one")) return {};
  if (seq != set.new_last_seq) return contradiction("new last seq is not that of the rows");
  if (epoch != set.new_epoch) return contradiction("new epoch is not that of the rows");
  return {};
}

std::optional<KeyName> parse_key(std::string_view name) {
  if (name.empty()) return std::nullopt;
  KeyName out;
  const auto rest = name.substr(1);
  if (name.front() == 'm') {
    out.id = core::MsgId(std::string(rest));
    return out;
  }
  const auto first = rest.find('\n');
  if (name.front() != 'r' || first == std::string_view::npos) return std::nullopt;
  const auto second = rest.find('\n', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  out.user = core::Did(std::string(rest.substr(0, first)));
  out.method = std::string(rest.substr(first + 1, second - first - 1));
  out.key = std::string(rest.substr(second + 1));
  return out;
}

PageBudget::PageBudget(std::size_t rows_max, std::size_t bytes_max)
    : rows_max_(rows_max == 0 ? SIZE_MAX : rows_max),
      bytes_max_(bytes_max == 0 ? core::page_bytes_max : bytes_max) {}

bool PageBudget::take(std::size_t bytes) {
  const bool fits = rows_ == 0 || (rows_ < rows_max_ && bytes_ + bytes <= bytes_max_);
  if (!fits) return false;
  ++rows_;
  bytes_ +=
      bytes;  // may be beyond the bound after a large first row: then nothing fits, however small
  return true;
}

std::size_t json_bytes(const ConvoView& view) {
  std::size_t bytes = convo_json_bytes + view.id.value.size() * 2 + view.group_id.size() * 2 +
                      view.creator.value.size() + view.name.size() * 2;
  for (const auto& member : view.members) {
    const auto entries = std::max<std::size_t>(1, member.devices.size());
    bytes += entries * (member_json_bytes + member.user.value.size() * 2);
    for (const auto& device : member.devices) bytes += device.value.size() * 2;
  }
  return bytes;
}

std::optional<std::size_t> choose_welcome(std::span<const WelcomePointer> pointers,
                                          const core::DeviceId& device, Timestamp now) {
  const bool default_device = device.value.empty();
  bool own_seen = false;
  std::optional<std::size_t> shared;
  for (std::size_t i = pointers.size(); i-- > 0;) {
    const auto& pointer = pointers[i];
    const bool own =
        default_device || pointer.device == device || mutant("welcome_of_another_device");
    const bool live = pointer.pending && now.value - pointer.at.value < core::welcome_life_ms;
    if (own && live) return i;
    own_seen = own_seen || own;
    if (live && !own_seen && !shared && pointer.device.value.empty()) shared = i;
  }
  return shared;
}

std::vector<PackageChoice> choose_packages(std::span<const PackageState> packages,
                                           const core::Did& caller, Timestamp now,
                                           std::span<const PackageTaken> taken) {
  struct Found {
    std::optional<std::size_t> mine, free, last_resort;
    std::size_t pool = 0, taken = 0;  // regular ones, those that are gone since included
  };
  std::map<core::DeviceId, Found> devices;
  for (std::size_t i = 0; i < packages.size(); ++i) {
    const auto& package = packages[i];
    if (package.not_after <= now) continue;
    auto& found = devices[package.device];
    if (package.last_resort) {
      found.last_resort = i;  // the newest: its owner replaced the older ones
      continue;
    }
    ++found.pool;
    if (package.reserved_at(now)) ++found.taken;
    if (!package.reserved_at(now) || mutant("key_package_claimed_twice")) {
      if (!found.free) found.free = i;
    } else if (package.reserved_by == caller && !found.mine) {
      found.mine = i;
    }
  }
  for (const auto& one : taken) {
    const auto it = devices.find(one.device);
    const bool here = std::ranges::find(packages, one.id, &PackageState::id) != packages.end();
    if (it == devices.end() || here) continue;
    ++it->second.pool;
    ++it->second.taken;
  }
  std::vector<PackageChoice> choices;
  for (auto& [device, found] : devices) {
    const bool drained = found.pool >= core::drained_pool_min && found.taken * 2 >= found.pool;
    if (drained && !mutant("key_packages_drained")) found.free.reset();
    const auto regular = found.mine ? found.mine : found.free;
    if (regular) {
      choices.push_back({*regular, true});
    } else if (found.last_resort) {
      choices.push_back({*found.last_resort, false});
    }
  }
  return choices;
}

Timestamp reservation_end(Timestamp now, Timestamp not_after) {
  return std::min(Timestamp(now.value + core::reservation_ms), not_after);
}

bool may_consume(const PackageState& package, const core::Did& user, Timestamp at) {
  if (package.last_resort) return package.not_after > at;
  if (mutant("foreign_key_package_consumed")) return true;
  return package.reserved_at(at) && package.reserved_by == user;
}

bool to_revoke(const Bytes& hash, const PackageState& state,
               const std::optional<std::vector<Bytes>>& only, Timestamp now) {
  if (!only) return true;
  return !state.reserved_at(now) && std::ranges::find(*only, hash) != only->end();
}

}  // namespace catbird::storage
