// SPDX-License-Identifier: MIT
#include "crash/power_cut.hpp"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

namespace catbird::crash {

namespace {

constexpr std::uint64_t sector_bytes = 512;

/// How one cut treats what was not synced: between nothing and everything of it is kept.
struct Style {
  std::uint64_t keep_percent = 50;
  std::uint64_t torn_percent = 0;
  bool shuffled = false;
  bool garbage = false;  // what a file grew by without its bytes
};

Style draw_style(Random& random) {
  static constexpr std::uint64_t keeps[] = {0, 100, 5, 50, 95};
  Style style;
  style.keep_percent = keeps[pick(random, std::size(keeps))];
  style.torn_percent = pick(random, 2) * 15;
  style.shuffled = pick(random, 2) == 0;
  style.garbage = pick(random, 2) == 0;
  return style;
}

bool chance(Random& random, std::uint64_t percent) { return pick(random, 100) < percent; }

/// A part of a write inside one sector; without data, a change of the file's size.
struct Piece {
  std::uint64_t offset = 0;
  std::optional<ByteView> data;
};

void grow(Bytes& content, std::uint64_t size, const Style& style, Random& random) {
  const auto before = content.size();
  if (size <= before) return;
  content.resize(size);
  if (!style.garbage) return;
  for (auto i = before; i < content.size(); ++i) content[i] = static_cast<std::uint8_t>(random());
}

void put(Bytes& content, std::uint64_t offset, ByteView data) {
  if (content.size() < offset + data.size()) content.resize(offset + data.size());
  std::ranges::copy(data, content.begin() + static_cast<std::ptrdiff_t>(offset));
}

void put_perhaps(Bytes& content, const Piece& piece, const Style& style, Random& random) {
  const bool kept = chance(random, style.keep_percent);
  if (!piece.data) {
    if (kept) content.resize(piece.offset);
    return;
  }
  auto [offset, data] = std::pair(piece.offset, *piece.data);
  if (!kept) {
    if (chance(random, 25)) grow(content, offset + data.size(), style, random);
    return;
  }
  if (data.size() > 1 && chance(random, style.torn_percent)) {
    const auto at = 1 + pick(random, data.size() - 1);
    const bool front = pick(random, 2) == 0;
    grow(content, offset + data.size(), style, random);
    offset += front ? 0 : at;
    data = front ? data.first(at) : data.subspan(at);
  }
  grow(content, offset, style, random);
  put(content, offset, data);
}

void split(const Op& op, std::vector<Piece>& pieces) {
  const ByteView data(op.data);
  std::uint64_t from = 0;
  while (from < data.size()) {
    const auto offset = op.offset + from;
    const auto size = std::min(sector_bytes - offset % sector_bytes, data.size() - from);
    pieces.push_back({offset, data.subspan(from, size)});
    from += size;
  }
}

Bytes content_of(const Recording& recording, std::size_t file, std::size_t at, const Style& style,
                 Random& random) {
  std::size_t synced = 0;
  for (std::size_t i = 0; i < at; ++i) {
    const auto& op = recording.ops[i];
    if (op.file == file && op.kind == Op::Kind::sync) synced = i;
  }
  Bytes content = recording.files[file].before;
  std::vector<Piece> pieces;
  for (std::size_t i = 0; i < at; ++i) {
    const auto& op = recording.ops[i];
    if (op.file != file) continue;
    if (op.kind == Op::Kind::write) {
      i < synced ? put(content, op.offset, op.data) : split(op, pieces);
    } else if (op.kind == Op::Kind::truncate) {
      i < synced ? content.resize(op.offset) : pieces.push_back({op.offset, std::nullopt});
    }
  }
  if (style.shuffled) std::ranges::shuffle(pieces, random);
  for (const auto& piece : pieces) put_perhaps(content, piece, style, random);
  return content;
}

/// Who has a name: durably, and after each later change.
struct Name {
  std::optional<std::size_t> durable;
  std::vector<std::optional<std::size_t>> later;
};

std::map<std::string, Name> names_at(const Recording& recording, std::size_t at) {
  std::map<std::string, Name> names;
  for (std::size_t i = 0; i < recording.files.size(); ++i) {
    if (recording.files[i].existed) names[recording.files[i].name].durable = i;
  }
  for (std::size_t i = 0; i < at; ++i) {
    const auto& op = recording.ops[i];
    auto& name = names[recording.files[op.file].name];
    if (op.kind == Op::Kind::create) name.later.emplace_back(op.file);
    if (op.kind == Op::Kind::remove) name.later.emplace_back(std::nullopt);
    if (!op.syncs_names) continue;
    for (auto& [_, one] : names) {
      if (!one.later.empty()) one.durable = one.later.back();
      one.later.clear();
    }
  }
  return names;
}

}  // namespace

Image cut_power(const Recording& recording, std::size_t at, Random& random) {
  const auto style = draw_style(random);
  Image image;
  for (const auto& [text, name] : names_at(recording, at)) {
    auto owner = name.durable;
    for (const auto& change : name.later) {
      if (!chance(random, style.keep_percent)) break;
      owner = change;
    }
    if (owner) image[text] = content_of(recording, *owner, at, style, random);
  }
  return image;
}

}  // namespace catbird::crash
