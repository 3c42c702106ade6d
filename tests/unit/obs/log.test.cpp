// SPDX-License-Identifier: MIT
#include "obs/log.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <regex>
#include <string>
#include <thread>
#include <vector>

namespace catbird::obs {
namespace {

std::string captured(auto&& action) {
  testing::internal::CaptureStdout();
  action();
  return testing::internal::GetCapturedStdout();
}

class Log : public testing::Test {
 protected:
  void TearDown() override { configure_log(""); }
};

TEST_F(Log, writes_one_json_line_in_the_predecessors_shape) {
  auto line = captured([] {
    log(Level::info, "catbird_server::actors::registry", "Actor spawned", {{"epoch", "7"}});
  });

  std::regex shape(R"re(\{"timestamp":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z","level":"INFO",)re"
                   R"re("fields":\{"message":"Actor spawned","epoch":"7"\},)re"
                   R"re("target":"catbird_server::actors::registry"\}\n)re");
  EXPECT_TRUE(std::regex_match(line, shape)) << line;
}

TEST_F(Log, escapes_whatever_could_end_a_string_or_a_line) {
  auto line = captured([] {
    log(Level::warn, "t",
        std::string_view("a\"b\\c\nd\x01"
                         "e\0f\x7f",
                         12),
        {{"n\"", "\xff\xc3\xa9"}});
  });

  EXPECT_NE(line.find(R"("message":"a\"b\\c\nd\u0001e\u0000f\u007f")"), std::string::npos) << line;
  EXPECT_NE(line.find("\"n\\\"\":\"\\ufffd\xc3\xa9\""), std::string::npos) << line;
  EXPECT_EQ(std::ranges::count(line, '\n'), 1);
}

TEST_F(Log, replaces_ill_formed_utf8_byte_by_byte) {
  // Overlong, surrogate, beyond U+10FFFF, truncated.
  for (std::string bad : {"\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"}) {
    auto line = captured([&] { log(Level::info, "t", bad); });

    for (char c : line) EXPECT_LT(static_cast<unsigned char>(c), 0x80) << line;
    EXPECT_NE(line.find("\\ufffd"), std::string::npos);
  }
}

TEST_F(Log, is_at_info_by_default_and_for_garbage) {
  for (std::string_view text : {"", "verbose", "=", "=debug", "a=b", ",,,", "debug=", "9"}) {
    configure_log(text);

    EXPECT_TRUE(enabled(Level::info, "catbird_server")) << text;
    EXPECT_FALSE(enabled(Level::debug, "catbird_server")) << text;
  }
}

TEST_F(Log, takes_a_bare_level_in_any_case) {
  configure_log(" WaRn ");

  EXPECT_TRUE(enabled(Level::warn, "x"));
  EXPECT_FALSE(enabled(Level::info, "x"));
}

TEST_F(Log, lets_the_most_specific_target_win) {
  configure_log("warn,catbird_server::actors=trace,catbird_server=error");

  EXPECT_TRUE(enabled(Level::trace, "catbird_server::actors"));
  EXPECT_TRUE(enabled(Level::trace, "catbird_server::actors::registry"));
  EXPECT_FALSE(enabled(Level::warn, "catbird_server"));
  EXPECT_TRUE(enabled(Level::warn, "tower_http"));
  EXPECT_FALSE(enabled(Level::info, "tower_http"));
}

TEST_F(Log, matches_targets_only_at_path_boundaries) {
  configure_log("catbird_server=debug,tower_http=debug");

  EXPECT_TRUE(enabled(Level::debug, "catbird_server"));
  EXPECT_TRUE(enabled(Level::debug, "catbird_server::http"));
  EXPECT_FALSE(enabled(Level::debug, "catbird_server_other"));
  EXPECT_FALSE(enabled(Level::debug, "catbird"));
}

TEST_F(Log, is_silent_when_off) {
  configure_log("off");

  EXPECT_EQ(captured([] { log(Level::error, "x", "nobody hears this"); }), "");
  EXPECT_FALSE(enabled(Level::off, "x"));
}

TEST_F(Log, keeps_lines_of_many_threads_whole) {
  auto text = captured([] {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([] {
        for (int i = 0; i < 200; ++i) log(Level::info, "t", std::string(300, 'x'));
      });
    }
  });

  std::size_t lines = 0;
  for (std::size_t at = 0, end; (end = text.find('\n', at)) != std::string::npos; at = end + 1) {
    auto line = std::string_view(text).substr(at, end - at);
    EXPECT_TRUE(line.starts_with("{\"timestamp\"") && line.ends_with("\"target\":\"t\"}"));
    ++lines;
  }
  EXPECT_EQ(lines, 800U);
}

TEST_F(Log, gives_an_identifier_one_pseudonym_that_does_not_contain_it) {
  EXPECT_EQ(log_id("convo-1"), log_id("convo-1"));
  EXPECT_NE(log_id("convo-1"), log_id("convo-2"));
  EXPECT_NE(log_id(""), log_id(std::string_view("\0", 1)));
  EXPECT_TRUE(std::regex_match(log_id("abc"), std::regex("[0-9a-f]{12}")));
}

}  // namespace
}  // namespace catbird::obs
