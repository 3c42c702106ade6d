// SPDX-License-Identifier: MIT
#include "bench/traffic.hpp"

#include "auth/service_auth.hpp"
#include "mls/verify.hpp"
#include "support/mls_writer.hpp"

#include <fmt/core.h>

#include <chrono>
#include <cstdlib>

namespace catbird::bench {

namespace {

// Short, so that the server's record of used tokens stays small over a long run.
constexpr std::chrono::seconds token_life{75};
constexpr std::uint16_t suite = 1;

std::int64_t wall_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string did_of(const std::string& name) {
  constexpr std::string_view alphabet = "abcdefghijklmnopqrstuvwxyz234567";
  constexpr std::size_t characters = 24;
  const auto hash = mls::sha256(view_of(name));
  std::string did = "did:plc:";
  for (std::size_t i = 0; i < characters; ++i) did.push_back(alphabet[hash[i] % alphabet.size()]);
  return did;
}

// One key for all: the server cannot tell whose leaf signed a commit.
const testing::Signer& leaf_signer() {
  static const testing::Signer one(suite, "bench");
  return one;
}

}  // namespace

std::string Group::convo(std::size_t number) const {
  const auto hash = mls::sha256(view_of(fmt::format("{}/{}", name, number)));
  return to_hex(ByteView(hash).first(16));
}

std::string Group::did(std::size_t convo, std::size_t member) const {
  return did_of(fmt::format("{}/{}/{}", name, convo, member));
}

std::string message_id(std::uint64_t number) { return fmt::format("{:026d}", number); }

std::uint64_t message_number(std::string_view id) {
  return std::strtoull(std::string(id).c_str(), nullptr, 10);
}

Bytes message_frame(const std::string& convo, std::size_t ciphertext_bytes) {
  return testing::pad(testing::make_private_message({.group_id = *from_hex(convo), .epoch = 0},
                                                    mls::ContentType::application,
                                                    Bytes(ciphertext_bytes, 7)));
}

Traffic::Traffic(std::string secret, std::string aud)
    : secret_(std::move(secret)), aud_(std::move(aud)), signer_(test::Signer::es256k()) {}

std::string Traffic::token(const std::string& did, const std::string& method) {
  const auto now = wall_ms();
  const auto jti = fmt::format("{:x}-{:x}", now, ++tokens_);
  const auto nsid = "blue.catbird.mls." + method;
  if (!es256k_) {
    return auth::mint_dev_token(secret_, did, aud_, nsid, Timestamp(now), token_life, jti);
  }
  const auto iat = now / 1000;
  const auto claims =
      fmt::format(R"({{"iss":"{}","aud":"{}","lxm":"{}","jti":"{}","iat":{},"exp":{}}})", did, aud_,
                  nsid, jti, iat, iat + token_life.count());
  return test::sign_token(*signer_, R"({"alg":"ES256K","typ":"JWT"})", claims);
}

std::string Traffic::get(const std::string& did, const std::string& method,
                         const std::string& query) {
  return fmt::format(
      "GET /xrpc/blue.catbird.mls.{}?{} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n",
      method, query, token(did, method));
}

std::string Traffic::post(const std::string& did, const std::string& method,
                          const std::string& body) {
  return fmt::format(
      "POST /xrpc/blue.catbird.mls.{} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
      "Authorization: Bearer {}\r\nContent-Length: {}\r\n\r\n{}",
      method, token(did, method), body.size(), body);
}

std::string Traffic::health() const { return "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"; }

std::string Traffic::get_epoch(const Group& group, std::size_t convo) {
  return get(group.did(convo, 0), "getEpoch", "convoId=" + group.convo(convo));
}

std::string Traffic::get_messages(const Group& group, std::size_t convo, const std::string& query) {
  return get(group.did(convo, 0), "getMessages",
             fmt::format("convoId={}&{}", group.convo(convo), query));
}

std::string Traffic::send_message(const Group& group, std::size_t convo, std::uint64_t message) {
  const auto id = group.convo(convo);
  const auto frame = message_frame(id, ciphertext_bytes_);
  // Anybody's turn; with ES256K the creator's, so that every DID document is known after one round.
  constexpr std::uint64_t scatter = 2'654'435'761;
  const auto sender = es256k_ ? 0 : (message * scatter >> 16U) % group.members;
  return post(
      group.did(convo, sender), "sendMessage",
      fmt::format(
          R"({{"convoId":"{}","msgId":"{}","epoch":0,"paddedSize":{},"ciphertext":{{"$bytes":"{}"}}}})",
          id, message_id(message), frame.size(), to_base64(frame)));
}

std::string Traffic::add_members(const Group& group, std::size_t convo, std::uint64_t epoch) {
  const auto id = group.convo(convo);
  const auto sender = group.did(convo, 0);
  const auto joiner = did_of(fmt::format("joiner {}", ++added_));
  testing::CommitSpec spec{.at = {.group_id = *from_hex(id), .epoch = epoch}};
  spec.identity = sender;
  spec.adds.push_back(testing::make_key_package(leaf_signer(), joiner, {.serial = added_}).bare);
  const auto commit = testing::make_public_commit(leaf_signer(), spec);
  return post(
      sender, "addMembers",
      fmt::format(R"({{"convoId":"{}","idempotencyKey":"{}","commit":"{}","didList":["{}"]}})", id,
                  message_id(added_), to_base64(commit), joiner));
}

}  // namespace catbird::bench
