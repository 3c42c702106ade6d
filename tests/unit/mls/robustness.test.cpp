// SPDX-License-Identifier: MIT
#include "support/mls_samples.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

namespace {

// Bytes asked of operator new by this thread, ever: this binary replaces it below.
thread_local std::size_t allocated_bytes = 0;

}  // namespace

void* operator new(std::size_t size) {
  allocated_bytes += size;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace catbird::testing {
namespace {

template <class F>
std::size_t bytes_allocated_by(const F& action) {
  const auto before = allocated_bytes;
  action();
  return allocated_bytes - before;
}

/// What parsing `bytes` allocates, whether they are well formed or not.
std::size_t allocated_parsing(Kind kind, ByteView bytes) {
  return bytes_allocated_by([kind, bytes] {
    switch (kind) {
      case Kind::message:
        return static_cast<void>(mls::parse_message(bytes));
      case Kind::key_package:
        return static_cast<void>(mls::parse_key_package(bytes));
      case Kind::welcome:
        return static_cast<void>(mls::parse_welcome(bytes));
      case Kind::group_info:
        return static_cast<void>(mls::parse_group_info(bytes));
      case Kind::ratchet_tree:
        return static_cast<void>(mls::parse_ratchet_tree(bytes));
      case Kind::commit:
        return static_cast<void>(mls::parse_commit(bytes));
      case Kind::proposal:
        return static_cast<void>(mls::parse_proposal(bytes));
    }
  });
}

// An error's text is all that a parser may allocate.
constexpr std::size_t error_bytes_max = 256;

TEST(Allocations, are_counted_in_this_binary) {
  EXPECT_GE(bytes_allocated_by([] { Bytes(1000).shrink_to_fit(); }), 1000U);
}

TEST(Allocations, of_a_parser_are_none_for_every_kind_of_value) {
  for (const auto& sample : made_samples()) {
    EXPECT_EQ(allocated_parsing(sample.kind, sample.bytes), 0U) << sample.name;
  }
}

TEST(Allocations, of_a_refusal_are_its_text) {
  for (const auto& sample : made_samples()) {
    for (std::size_t size = 0; size < sample.bytes.size(); size += 7) {
      EXPECT_LE(allocated_parsing(sample.kind, ByteView(sample.bytes).first(size)), error_bytes_max)
          << sample.name;
    }
  }
}

TEST(Allocations, are_none_for_a_tree_of_a_million_blank_nodes_parsed_and_walked) {
  constexpr std::size_t blanks = 1'000'001;
  const Signer alice(1, "alice");
  const std::string name[] = {"a"};
  const auto one = make_ratchet_tree(alice, name);
  const auto leaf = mls::parse_ratchet_tree(one).value().nodes.encoded();
  // The leaf first, then blanks, then the leaf again at an even place.
  const auto nodes = Writer().raw(leaf).raw(Bytes(blanks, 0)).raw(leaf).take();
  const auto bytes = Writer().opaque(nodes).take();
  std::size_t present = 0;
  std::size_t count = 0;

  const auto allocated = bytes_allocated_by([&] {
    const auto tree = mls::parse_ratchet_tree(bytes).value();
    count = tree.nodes.size();
    for (const auto& node : tree.nodes) present += node.has_value() ? 1 : 0;
  });

  EXPECT_EQ(count, blanks + 2);
  EXPECT_EQ(present, 2U);
  EXPECT_EQ(allocated, 0U);
}

TEST(Allocations, are_none_for_lists_of_the_smallest_items) {
  constexpr std::size_t many = 100'000;
  Writer references;
  for (std::size_t i = 0; i < many; ++i) references.u8(2).opaque({});
  const auto commit = Writer().opaque(references.bytes()).u8(0).take();
  const auto extensions = Writer().u16(7).opaque(Bytes(3 * many, 0)).take();

  EXPECT_EQ(mls::parse_commit(commit).value().proposals.size(), many);
  EXPECT_EQ(allocated_parsing(Kind::commit, commit), 0U);
  EXPECT_EQ(allocated_parsing(Kind::proposal, extensions), 0U);
}

TEST(Truncation, at_every_byte_is_refused) {
  for (const auto& sample : made_samples()) {
    for (std::size_t size = 0; size < sample.bytes.size(); ++size) {
      // A copy of exactly this size, so that ASan sees a read beyond it.
      const Bytes cut(sample.bytes.begin(),
                      sample.bytes.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_FALSE(reencoded(sample.kind, cut)) << sample.name << " " << size;
    }
  }
}

TEST(TrailingBytes, are_refused) {
  for (const auto& sample : made_samples()) {
    auto longer = sample.bytes;
    longer.push_back(0);
    EXPECT_FALSE(reencoded(sample.kind, longer)) << sample.name;
  }
}

TEST(BitFlips, are_refused_or_read_as_what_the_bytes_then_say) {
  std::size_t accepted = 0;
  std::size_t refused = 0;
  for (const auto& sample : made_samples()) {
    for (std::size_t bit = 0; bit < 8 * sample.bytes.size(); ++bit) {
      auto bytes = sample.bytes;
      bytes[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
      const auto again = reencoded(sample.kind, bytes);
      ++(again ? accepted : refused);
      EXPECT_TRUE(!again || *again == bytes) << sample.name << " bit " << bit;
    }
  }
  EXPECT_GT(accepted, 1000U);
  EXPECT_GT(refused, 1000U);
}

TEST(EveryKind, refuses_runs_of_one_octet_or_survives_them) {
  for (int octet = 0; octet < 256; ++octet) {
    for (const std::size_t size : {1UL, 2UL, 7UL, 64UL, 300UL, 17000UL}) {
      const Bytes bytes(size, static_cast<std::uint8_t>(octet));
      for (const auto kind : {Kind::message, Kind::key_package, Kind::welcome, Kind::group_info,
                              Kind::ratchet_tree, Kind::commit, Kind::proposal}) {
        const auto again = reencoded(kind, bytes);
        EXPECT_TRUE(!again || *again == bytes) << octet << " x " << size;
      }
    }
  }
}

}  // namespace
}  // namespace catbird::testing
