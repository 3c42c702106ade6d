// SPDX-License-Identifier: MIT
#include "storage/postgres/params.hpp"

#include <algorithm>
#include <array>
#include <bit>

namespace catbird::storage::postgres {

namespace {

/// Room for the numbers of a usual batch, so that a column is made once.
constexpr std::size_t column_bytes_first = 1024;

/// In network order.
template <class Int>
std::array<char, sizeof(Int)> wire_of(Int number) {
  if constexpr (std::endian::native == std::endian::little) number = std::byteswap(number);
  return std::bit_cast<std::array<char, sizeof(Int)>>(number);
}

template <class Int>
void put(std::vector<char>& out, Int number) {
  const auto wire = wire_of(number);
  out.insert(out.end(), wire.begin(), wire.end());
}

/// Appends a value as it stands on the wire, without its length. False for NULL.
struct Append {
  std::vector<char>& out;
  bool operator()(std::monostate) const { return false; }
  bool operator()(std::int64_t value) const {
    put(out, std::bit_cast<std::uint64_t>(value));
    return true;
  }
  bool operator()(std::string_view value) const {
    out.insert(out.end(), value.begin(), value.end());
    return true;
  }
  bool operator()(ByteView value) const {
    out.insert(out.end(), value.begin(), value.end());
    return true;
  }
};

}  // namespace

void Params::add(const Value& value) {
  Slot slot{.at = bytes_.size(), .length = 0, .null = false};
  slot.null = !value.visit(Append{bytes_});
  slot.length = static_cast<int>(bytes_.size() - slot.at);
  slots_.push_back(slot);
}

Params::Wire Params::wire() const {
  Wire wire;
  for (const auto& slot : slots_) {
    // Never null for an empty value: libpq takes that for NULL.
    wire.values.push_back(slot.null ? nullptr : slot.length == 0 ? "" : bytes_.data() + slot.at);
    wire.lengths.push_back(slot.length);
    wire.formats.push_back(1);
  }
  return wire;
}

void Column::add(const Value& value) {
  if (elements_.capacity() == 0) elements_.reserve(column_bytes_first);
  const auto at = elements_.size();
  put(elements_, std::uint32_t{0});
  const bool present = value.visit(Append{elements_});
  const auto length =
      present ? static_cast<std::uint32_t>(elements_.size() - at - sizeof(std::uint32_t))
              : UINT32_MAX;  // -1 says NULL
  std::ranges::copy(wire_of(length), elements_.begin() + static_cast<std::ptrdiff_t>(at));
  nulls_ = nulls_ || !present;
  ++count_;
}

void Column::add_to(Params& params) const {
  auto& out = params.bytes_;
  const auto at = out.size();
  put(out, std::uint32_t{count_ == 0 ? 0U : 1U});  // dimensions
  put(out, std::uint32_t{nulls_ ? 1U : 0U});
  put(out, static_cast<std::uint32_t>(type_));
  if (count_ != 0) {
    put(out, count_);
    put(out, std::uint32_t{1});  // the first index
    out.insert(out.end(), elements_.begin(), elements_.end());
  }
  params.slots_.push_back({.at = at, .length = static_cast<int>(out.size() - at), .null = false});
}

}  // namespace catbird::storage::postgres
