// SPDX-License-Identifier: MIT
#include "bench/ledger.hpp"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <stdexcept>

namespace catbird::bench {

namespace {

const Group group{.name = "group", .convos = 1, .members = 5, .rows = 2};

std::string sent_answer(std::uint64_t message, std::uint64_t seq) {
  return fmt::format(R"({{"messageId":"{}","receivedAt":"t","seq":{},"epoch":0}})",
                     message_id(message), seq);
}

std::string row(std::uint64_t message, std::uint64_t seq, std::uint64_t epoch = 0) {
  return fmt::format(
      R"({{"id":"{}","convoId":"c","ciphertext":{{"$bytes":"AA"}},"epoch":{},"seq":{}}})",
      message_id(message), epoch, seq);
}

/// Messages 7 and 8 acknowledged as rows 3 and 4, behind the two seeded ones; 9 was refused.
class Talk : public testing::Test {
 protected:
  Talk() {
    ledger.sent(group, 0, 7, sent_answer(7, 3));
    ledger.sent(group, 0, 8, sent_answer(8, 4));
    ledger.refused(9);
  }
  std::size_t read(const std::string& rows) {
    const auto pages = ledger.pages();
    EXPECT_EQ(pages.size(), 1U);
    return ledger.check_page(pages.front(), R"({"messages":[)" + rows + R"(],"lastSeq":4})");
  }
  Ledger ledger;
};

}  // namespace

TEST_F(Talk, AcceptsWhatWasAcknowledged) { EXPECT_EQ(read(row(7, 3) + "," + row(8, 4)), 2U); }

TEST_F(Talk, AcceptsARefusedMessageOnce) {
  EXPECT_EQ(read(row(7, 3) + "," + row(8, 4) + "," + row(9, 5)), 3U);
  EXPECT_THROW(read(row(7, 3) + "," + row(8, 4) + "," + row(9, 5)), std::runtime_error);
}

TEST_F(Talk, FindsALostMessage) {
  EXPECT_THROW(read(row(7, 3)), std::runtime_error);
  EXPECT_THROW(read(""), std::runtime_error);
}

TEST_F(Talk, FindsAGap) {
  EXPECT_THROW(read(row(7, 3) + "," + row(8, 5)), std::runtime_error);
  EXPECT_THROW(read(row(8, 4)), std::runtime_error);
}

TEST_F(Talk, FindsAMessageTwice) {
  EXPECT_THROW(read(row(7, 3) + "," + row(8, 4) + "," + row(8, 5)), std::runtime_error);
}

TEST_F(Talk, FindsMessagesInAnotherOrder) {
  EXPECT_THROW(read(row(8, 3) + "," + row(7, 4)), std::runtime_error);
}

TEST_F(Talk, FindsARowThatNobodySent) {
  EXPECT_THROW(read(row(7, 3) + "," + row(8, 4) + "," + row(10, 5)), std::runtime_error);
}

TEST_F(Talk, RefusesWrongAnswers) {
  EXPECT_THROW(ledger.sent(group, 0, 9, sent_answer(9, 4)), std::runtime_error) << "a number twice";
  EXPECT_THROW(ledger.sent(group, 0, 9, sent_answer(9, 2)), std::runtime_error) << "a seeded one";
  EXPECT_THROW(ledger.sent(group, 0, 9, sent_answer(10, 5)), std::runtime_error) << "another's";
  EXPECT_THROW(ledger.sent(group, 0, 9, "{}"), std::runtime_error);
}

TEST(LedgerOfCommits, LeadsFromEpochToEpoch) {
  Ledger ledger;
  const auto answer = [](std::uint64_t epoch) {
    return fmt::format(R"({{"success":true,"newEpoch":{}}})", epoch);
  };
  ledger.committed(group, 0, 0, answer(1));
  EXPECT_THROW(ledger.committed(group, 0, 0, answer(1)), std::runtime_error) << "a fork";
  EXPECT_THROW(ledger.committed(group, 0, 1, answer(3)), std::runtime_error);
  ledger.committed(group, 0, 1, answer(2));
  EXPECT_EQ(ledger.epoch(group, 0), 2U);

  const auto pages = ledger.pages();
  const auto read = [&](const std::string& rows) {
    return ledger.check_page(pages.front(), R"({"messages":[)" + rows + "]}");
  };
  EXPECT_EQ(read(row(1, 3, 1) + "," + row(2, 4, 2)), 2U);
  EXPECT_THROW(read(row(1, 3, 1) + "," + row(2, 4, 1)), std::runtime_error);
  EXPECT_THROW(read(row(1, 3, 1)), std::runtime_error);
}

TEST(LedgerPages, EndWithOneThatIsNotFull) {
  Ledger ledger;
  for (std::uint64_t i = 1; i <= 200; ++i) ledger.sent(group, 0, i, sent_answer(i, 2 + i));
  const auto pages = ledger.pages();
  ASSERT_EQ(pages.size(), 3U);
  EXPECT_EQ(pages[0].since, 2U);
  EXPECT_EQ(pages[1].rows, 100U);
  EXPECT_EQ(pages[2].rows, 0U);
}

}  // namespace catbird::bench
