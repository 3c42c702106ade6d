// SPDX-License-Identifier: MIT
#include "auth/replay.hpp"

#include "auth/limits.hpp"
#include "auth/replay_segment.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>
#include <vector>

// The journal is a file, so these cases use a directory of their own; nothing here sleeps.

namespace catbird::auth {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t start = 1'800'000'000;
constexpr std::uint32_t life = 360;
constexpr BootId this_boot{1, 2, 3};
constexpr BootId other_boot{9, 9, 9};

ReplayEntry entry_of(std::uint32_t number, std::uint32_t expiry) {
  return {{number, number * 7, number * 13, number * 17}, expiry};
}

class Replay : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "catbird-replay-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
    options_.entries_max = 100'000;
    options_.journal_path = (directory_ / "tokens.journal").string();
    options_.boot = this_boot;
    options_.life_seconds = life;
    options_.rotate_bytes_min = 1024;
    options_.now = start;
  }
  void TearDown() override {
    guard_.reset();
    fs::permissions(directory_, fs::perms::owner_all);
    fs::remove_all(directory_);
  }

  void open(std::uint32_t now) {
    guard_.reset();
    options_.now = now;
    guard_ = std::move(ReplayGuard::open(options_).value());
  }
  /// What kill -9 leaves: the files as they are now, without an orderly end.
  void kill_and_open(std::uint32_t now) {
    const fs::path image = directory_ / "image";
    fs::create_directory(image);
    for (const auto& file : fs::directory_iterator(directory_)) {
      if (file.is_regular_file()) fs::copy(file, image);
    }
    guard_.reset();
    for (const auto& file : fs::directory_iterator(directory_)) {
      if (file.is_regular_file()) fs::remove(file);
    }
    for (const auto& file : fs::directory_iterator(image)) {
      fs::copy(file, directory_ / file.path().filename());
    }
    fs::remove_all(image);
    open(now);
  }
  std::string use(const std::string& jti, std::uint32_t issued, std::uint32_t now) {
    const auto used = guard_->use({"did:plc:a", jti, issued, issued + 90}, now);
    if (used) return "ok";
    switch (used.error().code) {
      case Errc::unauthenticated:
        return "used";
      case Errc::token_from_before:
        return "before";
      case Errc::overloaded:
        return "full";
      default:
        return "failed";
    }
  }
  std::string path(const char* suffix = "") const { return options_.journal_path + suffix; }
  std::vector<char> bytes_of(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void write_bytes(const std::string& file, const std::vector<char>& bytes) {
    std::ofstream(file, std::ios::binary | std::ios::trunc)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }

  fs::path directory_;
  ReplayOptions options_;
  std::unique_ptr<ReplayGuard> guard_;
};

TEST_F(Replay, lets_a_first_start_refuse_only_tokens_from_before_it) {
  open(start);

  EXPECT_EQ(use("old", start - 1, start), "before");
  EXPECT_EQ(use("old", start - 1, start + 50), "before");
  EXPECT_EQ(use("new", start, start), "ok");
  EXPECT_EQ(use("new", start, start), "used");
}

TEST_F(Replay, knows_used_tokens_after_kill_9_and_passes_unused_ones_from_before) {
  open(start);
  EXPECT_EQ(use("a", start, start), "ok");

  kill_and_open(start + 10);
  EXPECT_EQ(use("a", start, start + 10), "used");
  EXPECT_EQ(use("b", start, start + 10), "ok");

  kill_and_open(start + 20);
  EXPECT_EQ(use("a", start, start + 20), "used");
  EXPECT_EQ(use("b", start, start + 20), "used");
  EXPECT_EQ(use("c", start + 5, start + 20), "ok");
}

TEST_F(Replay, knows_used_tokens_after_an_orderly_end_even_on_another_boot) {
  open(start);
  EXPECT_EQ(use("a", start, start), "ok");
  guard_.reset();
  options_.boot = other_boot;

  open(start + 10);
  EXPECT_EQ(use("a", start, start + 10), "used");
  EXPECT_EQ(use("b", start, start + 10), "ok");
}

TEST_F(Replay, refuses_tokens_from_before_a_power_cut) {
  open(start);
  EXPECT_EQ(use("a", start, start), "ok");
  options_.boot = other_boot;
  kill_and_open(start + 10);

  EXPECT_EQ(use("a", start, start + 10), "before");
  EXPECT_EQ(use("b", start + 9, start + 10), "before");
  EXPECT_EQ(use("c", start + 10, start + 10), "ok");
}

TEST_F(Replay, refuses_tokens_from_before_where_no_boot_has_a_name) {
  options_.boot = BootId{};
  open(start);
  EXPECT_EQ(use("a", start, start), "ok");
  kill_and_open(start + 10);

  EXPECT_EQ(use("b", start + 9, start + 10), "before");
}

TEST_F(Replay, still_knows_its_blindness_after_the_next_restart) {
  open(start);
  EXPECT_EQ(use("a", start, start), "ok");
  options_.boot = other_boot;
  kill_and_open(start + 10);
  kill_and_open(start + 20);

  EXPECT_EQ(use("a", start, start + 20), "before");
  EXPECT_EQ(use("b", start + 10, start + 20), "ok");
}

TEST_F(Replay, notices_damage_to_any_byte_of_the_journal) {
  open(start);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(use("t" + std::to_string(i), start, start), "ok");
  const auto good = bytes_of(path());
  ASSERT_EQ(good.size(), segment_header_bytes + 3 * segment_record_bytes);
  for (std::size_t at = 0; at < good.size(); at += 5) {
    auto bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    write_bytes(path(), bad);
    kill_and_open(start + 10);

    EXPECT_EQ(use("t0", start, start + 10), "before") << at;
    EXPECT_EQ(use("fresh", start + 10, start + 10), "ok") << at;
  }
}

TEST_F(Replay, notices_a_journal_cut_inside_a_record_or_missing) {
  open(start);
  EXPECT_EQ(use("a", start, start), "ok");
  auto bytes = bytes_of(path());
  for (const std::size_t size :
       {bytes.size() - 1, segment_header_bytes + 1, segment_header_bytes - 1, std::size_t{0}}) {
    write_bytes(path(), {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)});
    kill_and_open(start + 10);
    EXPECT_EQ(use("a", start, start + 10), "before") << size;
  }
  fs::remove(path());
  kill_and_open(start + 20);
  EXPECT_EQ(use("a", start, start + 20), "before");
  EXPECT_EQ(use("a2", start + 20, start + 20), "ok");
}

TEST_F(Replay, does_not_trust_records_after_the_mark_of_an_orderly_end) {
  open(start);
  EXPECT_EQ(use("a", start, start), "ok");
  guard_.reset();
  auto bytes = bytes_of(path());
  bytes.insert(bytes.end(), bytes.end() - 2 * segment_record_bytes,
               bytes.end() - segment_record_bytes);
  write_bytes(path(), bytes);
  open(start + 10);

  EXPECT_EQ(use("b", start, start + 10), "before");
}

TEST_F(Replay, keeps_its_file_to_its_owner_and_names_nobody_in_it) {
  open(start);
  EXPECT_EQ(guard_->use({"did:plc:canary", "canary", start, start + 90}, start).has_value(), true);
  struct stat status{};
  ASSERT_EQ(::stat(path().c_str(), &status), 0);

  EXPECT_EQ(status.st_mode & 0777, 0600U);
  const auto bytes = bytes_of(path());
  EXPECT_EQ(std::string(bytes.begin(), bytes.end()).find("canary"), std::string::npos);
}

TEST_F(Replay, rotates_without_losing_a_token_that_is_still_valid) {
  open(start);
  std::uint32_t now = start;
  std::uint32_t number = 0;
  std::uintmax_t largest = 0;
  for (; now < start + 10 * life; now += 3) {
    EXPECT_EQ(use("t" + std::to_string(number++), now, now), "ok");
    EXPECT_EQ(use("u" + std::to_string(now), now, now), "ok");
    largest = std::max(largest, fs::file_size(path()));
  }
  EXPECT_TRUE(fs::exists(path(".old")));
  EXPECT_LT(largest, 2 * (life / 3 + 2) * segment_record_bytes + 1024);

  kill_and_open(now);
  for (std::uint32_t back = 1; back <= 28; ++back) {
    EXPECT_EQ(use("t" + std::to_string(number - back), now - 3 * back, now), "used") << back;
  }
}

TEST_F(Replay, needs_the_older_half_of_a_rotated_journal) {
  open(start);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(use("t" + std::to_string(i), start, start), "ok");
  const std::uint32_t later = start + life;
  EXPECT_EQ(use("x", later, later), "ok");
  ASSERT_TRUE(fs::exists(path(".old")));
  fs::remove(path(".old"));
  kill_and_open(later + 1);

  EXPECT_EQ(use("y", later, later + 1), "before");
}

TEST_F(Replay, survives_a_death_between_the_two_renames_of_a_rotation) {
  open(start);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(use("t" + std::to_string(i), start, start), "ok");
  const std::uint32_t later = start + life;
  EXPECT_EQ(use("x", later, later), "ok");
  auto bytes = bytes_of(path());
  bytes.resize(segment_header_bytes);
  write_bytes(path(".new"), bytes);
  fs::remove(path());
  kill_and_open(later + 1);

  EXPECT_EQ(use("y", later, later + 1), "ok");
}

TEST_F(Replay, does_not_take_an_unfinished_new_file_for_the_journal) {
  open(start);
  EXPECT_EQ(use("a", start, start), "ok");
  write_bytes(path(".new"), bytes_of(path()));
  fs::remove(path());
  kill_and_open(start + 10);

  EXPECT_EQ(use("b", start, start + 10), "before");
}

TEST_F(Replay, keeps_a_second_process_out) {
  open(start);

  const auto second = ReplayGuard::open(options_);

  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().detail, "token journal " + path() +
                                       " is in use by another process: each server needs its own, "
                                       "set CATBIRD_TOKEN_JOURNAL");
}

TEST_F(Replay, fails_to_open_where_no_file_can_be) {
  options_.journal_path = (directory_ / "missing" / "tokens.journal").string();

  const auto guard = ReplayGuard::open(options_);

  ASSERT_FALSE(guard);
  EXPECT_EQ(guard.error().detail, "token journal " + path() +
                                      " cannot be created: No such file or directory; let the "
                                      "server write there, or set CATBIRD_TOKEN_JOURNAL");
}

/// No file of this process may grow past `bytes` while it lives: a full disk, for one writer.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) {
    before_ = std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &limit_);
    const rlimit small{bytes, limit_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
  }
  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &limit_);
    std::signal(SIGXFSZ, before_);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  rlimit limit_{};
  void (*before_)(int) = nullptr;
};

TEST_F(Replay, goes_on_without_disk_space_and_admits_after_a_restart_what_it_cannot_know) {
  open(start);
  EXPECT_EQ(use("a", start, start), "ok");
  {
    const FullDisk disk(segment_header_bytes + segment_record_bytes + 5);
    EXPECT_EQ(use("b", start, start), "ok");
    EXPECT_EQ(use("c", start, start), "ok");
    EXPECT_EQ(use("c", start, start), "used");
  }
  kill_and_open(start + 5);

  EXPECT_EQ(use("b", start, start + 5), "before");
}

TEST_F(Replay, has_a_whole_journal_again_once_the_disk_has_space) {
  open(start);
  EXPECT_EQ(use("a", start, start), "ok");
  {
    const FullDisk disk(segment_header_bytes + segment_record_bytes + 5);
    EXPECT_EQ(use("b", start, start), "ok");
    EXPECT_EQ(use("c", start + 12, start + 12), "ok");
  }
  EXPECT_EQ(use("d", start + 25, start + 25), "ok");
  kill_and_open(start + 30);

  for (const char* jti : {"a", "b"}) EXPECT_EQ(use(jti, start, start + 30), "used") << jti;
  EXPECT_EQ(use("c", start + 12, start + 30), "used");
  EXPECT_EQ(use("d", start + 25, start + 30), "used");
  EXPECT_EQ(use("e", start, start + 30), "ok");
}

TEST_F(Replay, works_in_memory_without_a_path) {
  options_.journal_path.clear();
  open(start);

  EXPECT_EQ(use("a", start - 1, start), "before");
  EXPECT_EQ(use("a", start, start), "ok");
  EXPECT_EQ(use("a", start, start), "used");
}

TEST_F(Replay, refuses_what_it_could_not_remember_and_has_room_again_later) {
  options_.entries_max = 100;
  open(start);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(use("t" + std::to_string(i), start, start), "ok");
  EXPECT_EQ(use("one more", start, start), "full");
  EXPECT_EQ(use("t5", start, start), "used");

  EXPECT_EQ(use("later", start + 90, start + 90), "ok");
}

TEST_F(Replay, remembers_what_was_used_while_the_clock_went_back_a_little) {
  open(start);
  EXPECT_EQ(use("a", start, start), "ok");
  EXPECT_EQ(use("fill", start + 100, start + 100), "ok");
  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(use("t" + std::to_string(i), start + 100, start + 100), "ok");
  }
  // "a" expired at start + 90 and its slot was swept; now it is valid again.
  EXPECT_NE(use("a", start, start + 80), "ok");
  EXPECT_EQ(use("new", start + 80, start + 80), "ok");
}

TEST_F(Replay, works_on_after_the_clock_was_a_year_ahead) {
  open(start);
  EXPECT_EQ(use("a", start, start), "ok");
  const std::uint32_t wrong = start + 365 * 86'400;
  for (int i = 0; i < 200; ++i) EXPECT_EQ(use("w" + std::to_string(i), wrong, wrong), "ok");

  EXPECT_EQ(use("a", start, start + 10), "before");
  EXPECT_EQ(use("b", start + 10, start + 10), "ok");
  EXPECT_EQ(use("b", start + 10, start + 10), "used");
}

TEST_F(Replay, takes_a_token_once_from_eight_threads) {
  open(start);
  std::atomic<int> accepted{0};
  {
    std::vector<std::jthread> threads;
    threads.reserve(8);
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        for (int n = 0; n < 500; ++n) {
          accepted += use("t" + std::to_string(n), start, start) == "ok" ? 1 : 0;
        }
      });
    }
  }
  EXPECT_EQ(accepted, 500);
  EXPECT_EQ(fs::file_size(path()), segment_header_bytes + 500 * segment_record_bytes);
}

TEST(ReplaySet, stays_small_and_loses_nothing_while_it_grows) {
  ReplaySet set(2'000'000, 42);
  constexpr std::uint32_t count = 200'000;
  for (std::uint32_t i = 1; i <= count; ++i) {
    ASSERT_EQ(set.insert(entry_of(i, start + 330), start), ReplaySet::Outcome::fresh);
  }
  for (std::uint32_t i = 1; i <= count; ++i) {
    ASSERT_EQ(set.insert(entry_of(i, start + 330), start), ReplaySet::Outcome::used);
  }
  EXPECT_LT(set.memory_bytes(), count * 4 * sizeof(ReplayEntry));
}

TEST(ReplaySet, does_not_grow_under_a_steady_rate) {
  ReplaySet set(100'000, 42);
  std::size_t after_a_life = 0;
  std::uint32_t number = 0;
  for (std::uint32_t second = 0; second < 2'000; ++second) {
    for (int i = 0; i < 50; ++i) {
      ASSERT_EQ(set.insert(entry_of(++number, start + second + 100), start + second),
                ReplaySet::Outcome::fresh);
    }
    if (second == 200) after_a_life = set.memory_bytes();
  }
  EXPECT_LE(set.memory_bytes(), 2 * after_a_life);
  EXPECT_LT(set.memory_bytes(), 50 * 100 * 8 * sizeof(ReplayEntry));
}

}  // namespace
}  // namespace catbird::auth
