// SPDX-License-Identifier: MIT
#include "app/secret.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace catbird::app {
namespace {

class Secret : public ::testing::Test {
 protected:
  Secret() {
    std::string name = (std::filesystem::temp_directory_path() / "catbird-secret-XXXXXX").string();
    folder = ::mkdtemp(name.data());
    path = (folder / "db.secret").string();
  }
  ~Secret() override { std::filesystem::remove_all(folder); }

  static unsigned mode_of(const std::string& file) {
    struct stat facts{};
    return ::stat(file.c_str(), &facts) == 0 ? facts.st_mode & 0777U : 0U;
  }
  void write(const std::string& text) { std::ofstream(path) << text; }

  std::filesystem::path folder;
  std::string path;
};

TEST_F(Secret, is_made_once_for_the_owner_alone) {
  const auto made = open_secret(path, false);

  ASSERT_TRUE(made.has_value());
  EXPECT_EQ(made->size(), 32U);
  EXPECT_EQ(mode_of(path), 0600U);
  EXPECT_FALSE(std::filesystem::exists(path + ".new"));
}

TEST_F(Secret, is_the_same_at_the_next_start) {
  const auto made = *open_secret(path, false);

  EXPECT_EQ(*open_secret(path, true), made);
  EXPECT_EQ(*open_secret(path, false), made);
}

TEST_F(Secret, differs_from_every_other) {
  EXPECT_NE(*open_secret(path, false), *open_secret(path + "2", false));
}

TEST_F(Secret, makes_the_folder_it_belongs_in) {
  EXPECT_TRUE(open_secret((folder / "a" / "b" / "secret").string(), false).has_value());
}

TEST_F(Secret, is_never_made_anew_beside_data) {
  const auto missing = open_secret(path, true);

  ASSERT_FALSE(missing.has_value());
  EXPECT_NE(missing.error().detail.find("restore it from the backup"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(Secret, is_never_replaced_when_it_cannot_be_read) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::filesystem::create_symlink("nowhere", path);

  const auto unreadable = open_secret(path, false);

  ASSERT_FALSE(unreadable.has_value());
  EXPECT_NE(unreadable.error().detail.find("cannot read"), std::string::npos);
  EXPECT_TRUE(std::filesystem::is_symlink(path));
}

TEST_F(Secret, is_refused_when_damaged_and_left_as_it_is) {
  for (const auto& text : {std::string(), std::string("\n"), std::string(62, 'a'),
                           std::string(66, 'a'), std::string(64, 'x'), std::string(63, 'a')}) {
    write(text);

    for (const bool data_exists : {false, true}) {
      const auto opened = open_secret(path, data_exists);

      ASSERT_FALSE(opened.has_value()) << text;
      EXPECT_NE(opened.error().detail.find("is damaged"), std::string::npos);
    }
    std::ifstream file(path);
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), text);
  }
}

TEST_F(Secret, may_end_in_any_line_ending_or_none) {
  for (const auto* ending : {"", "\n", "\r\n"}) {
    write(std::string(64, 'a') + ending);

    EXPECT_EQ(*open_secret(path, true), Bytes(32, 0xaa));
  }
}

TEST_F(Secret, stays_private_over_what_an_interrupted_start_left_behind) {
  std::ofstream(path + ".new") << "half";
  ASSERT_EQ(::chmod((path + ".new").c_str(), 0644), 0);

  ASSERT_TRUE(open_secret(path, false).has_value());

  EXPECT_EQ(mode_of(path), 0600U);
}

TEST_F(Secret, says_where_it_cannot_be_made) {
  std::ofstream(folder / "file") << "in the way";

  const auto refused = open_secret((folder / "file" / "secret").string(), false);

  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().detail.find("cannot create"), std::string::npos);
}

TEST(RandomBytes, are_as_many_as_asked_and_new_each_time) {
  EXPECT_EQ(random_bytes(16).size(), 16U);
  EXPECT_NE(random_bytes(16), random_bytes(16));
}

}  // namespace
}  // namespace catbird::app
