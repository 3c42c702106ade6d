// SPDX-License-Identifier: MIT
#include "xrpc/error_table.hpp"

#include "unit/xrpc/world.hpp"

#include <set>

namespace catbird::xrpc {
namespace {

Error error_with(Errc code) { return Error{code, {}, {}, 0}; }

TEST(ErrorTable, has_one_sound_row_for_every_code) {
  for (int i = 0; i <= static_cast<int>(errc_last); ++i) {
    const auto code = static_cast<Errc>(i);

    const auto& row = error_row(code);

    EXPECT_EQ(row.code, code) << i;
    EXPECT_GE(row.status, 400) << i;
    EXPECT_LE(row.status, 599) << i;
    EXPECT_FALSE(row.name.empty()) << i;
    EXPECT_FALSE(row.message.empty()) << i;
  }
}

TEST(ErrorTable, says_the_statuses_clients_switch_on) {
  struct Case {
    Errc code;
    int status;
    const char* name;
  };
  for (const auto& one : std::vector<Case>{
           {Errc::invalid_request, 400, "InvalidRequest"},
           {Errc::malformed_mls, 400, "InvalidRequest"},
           {Errc::invalid_epoch_range, 400, "InvalidEpochRange"},
           {Errc::unauthenticated, 401, "AuthenticationRequired"},
           {Errc::not_member, 403, "NotMember"},
           {Errc::not_admin, 403, "NotAdmin"},
           {Errc::unauthorized, 403, "Unauthorized"},
           {Errc::welcome_not_found, 404, "WelcomeNotFound"},
           {Errc::group_info_unavailable, 404, "GroupInfoUnavailable"},
           {Errc::already_member, 409, "AlreadyMember"},
           {Errc::convo_exists, 409, "ConvoAlreadyExists"},
           {Errc::epoch_mismatch, 409, "EpochMismatch"},
           {Errc::conflict, 409, "Conflict"},
           {Errc::key_package_not_found, 409, "KeyPackageNotFound"},
           {Errc::message_too_large, 413, "MessageTooLarge"},
           {Errc::rate_limited, 429, "RateLimitExceeded"},
           {Errc::too_many_key_packages, 429, "TooManyKeyPackages"},
           {Errc::quarantined, 500, "InternalServerError"},
           {Errc::storage_corrupt, 500, "StorageCorrupt"},
           {Errc::internal, 500, "InternalServerError"},
           {Errc::not_implemented, 501, "MethodNotImplemented"},
           {Errc::overloaded, 503, "Overloaded"},
           {Errc::token_from_before, 503, "TemporarilyUnavailable"},
           {Errc::retry, 503, "TemporarilyUnavailable"},
           {Errc::storage_full, 503, "TemporarilyUnavailable"},
       }) {
    const auto response = error_response(error_with(one.code));

    EXPECT_EQ(response.status, one.status) << one.name;
    EXPECT_EQ(error_of(response), one.name);
  }
}

TEST(ErrorTable, says_when_to_come_back_wherever_waiting_helps) {
  for (int i = 0; i <= static_cast<int>(errc_last); ++i) {
    const auto response = error_response(error_with(static_cast<Errc>(i)));

    const bool waits = response.status == 429 || response.status == 502 || response.status == 503;
    EXPECT_EQ(!header_of(response, "Retry-After").empty(), waits) << i;
    EXPECT_NE(header_of(response, "Retry-After"), "0") << i;
  }
}

TEST(ErrorTable, lets_the_error_choose_the_wait) {
  const auto response = error_response(Error{Errc::rate_limited, {}, {}, 42});

  EXPECT_EQ(header_of(response, "Retry-After"), "42");
}

TEST(ErrorTable, prefers_the_detail_to_its_own_message) {
  EXPECT_EQ(json_of(error_response(Error{Errc::invalid_request, "msgId is missing", {}, 0})),
            Json({{"error", "InvalidRequest"}, {"message", "msgId is missing"}}));
  EXPECT_EQ(json_of(error_response(error_with(Errc::invalid_epoch_range)))["message"],
            "toEpoch is before fromEpoch");
}

TEST(ErrorTable, says_in_the_message_where_the_server_stands) {
  const Error stale{Errc::epoch_mismatch, "ignored", EpochClash{7, 5}, 0};

  const auto json = json_of(error_response(stale));

  EXPECT_EQ(json, Json({{"error", "EpochMismatch"},
                        {"message", "EpochMismatch: serverEpoch=7 clientEpoch=5"},
                        {"serverEpoch", 7},
                        {"clientEpoch", 5}}));
}

TEST(ErrorTable, keeps_that_message_under_the_name_sendMessage_uses) {
  const Error stale{Errc::epoch_mismatch, {}, EpochClash{7, 5}, 0};

  const auto response = error_response(stale, "Conflict");

  EXPECT_EQ(response.status, 409);
  EXPECT_EQ(error_of(response), "Conflict");
  EXPECT_TRUE(
      json_of(response)["message"].get<std::string>().starts_with("EpochMismatch: serverEpoch=7"));
}

TEST(ErrorTable, uses_the_other_name_for_nothing_else) {
  EXPECT_EQ(error_of(error_response(error_with(Errc::not_member), "Conflict")), "NotMember");
}

}  // namespace
}  // namespace catbird::xrpc
