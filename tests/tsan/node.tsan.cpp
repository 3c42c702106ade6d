// SPDX-License-Identifier: MIT
// The whole server in this process, on SQLite: a mixed load of several users over HTTP, streams
// that come and go, a SIGTERM in the middle, and a second start in the other mode on the same data.
#include "app/node.hpp"

#include "auth/service_auth.hpp"
#include "obs/log.hpp"
#include "support/http_peer.hpp"
#include "support/mls_writer.hpp"
#include "support/temp_dir.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace catbird::app {
namespace {

using Json = nlohmann::json;
using catbird::testing::make_key_package;
using catbird::testing::make_private_message;
using catbird::testing::Signer;
using test::RawClient;

constexpr std::size_t users = 4;
constexpr std::size_t convos = 3;
constexpr std::size_t rounds = 48;  // of each user before the drain
constexpr int attempts_max = 200;   // of one message, while others commit
const std::string secret = "0123456789abcdef0123456789abcdef";
const std::string suite = "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519";

std::string did_of(std::size_t user) { return "did:web:user" + std::to_string(user) + ".example"; }
Bytes group_of(std::size_t convo) { return Bytes(8, static_cast<std::uint8_t>(0xa0 + convo)); }
std::string convo_of(std::size_t convo) { return to_hex(group_of(convo)); }

std::string token(std::size_t user, const std::string& method) {
  static std::atomic<std::size_t> serial{0};
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::system_clock::now().time_since_epoch());
  return auth::mint_dev_token(secret, did_of(user), "did:web:localhost",
                              "blue.catbird.mls." + method, Timestamp(now.count()),
                              std::chrono::seconds(200), std::to_string(++serial));
}

std::string get_text(std::size_t user, const std::string& method, const std::string& query) {
  return "GET /xrpc/blue.catbird.mls." + method + "?" + query +
         " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token(user, method) + "\r\n\r\n";
}
std::string post_text(std::size_t user, const std::string& method, const Json& body) {
  const auto text = body.dump();
  return "POST /xrpc/blue.catbird.mls." + method +
         " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer " +
         token(user, method) + "\r\nContent-Length: " + std::to_string(text.size()) + "\r\n\r\n" +
         text;
}

/// A user with a connection.
class Client {
 public:
  Client(std::uint16_t port, std::size_t user) : user_(user), raw_(port) {}

  /// Null if the server went.
  Json get(const std::string& method, const std::string& query) {
    return answer(get_text(user_, method, query));
  }
  Json post(const std::string& method, const Json& body) {
    return answer(post_text(user_, method, body));
  }
  int status = 0;

  std::uint64_t epoch(std::size_t convo) {
    const auto answer = get("getEpoch", "convoId=" + convo_of(convo));
    return status == 200 ? answer.at("currentEpoch").get<std::uint64_t>() : 0;
  }
  Json message(std::size_t convo, std::uint64_t at, const std::string& id) {
    const auto bytes =
        make_private_message({group_of(convo), at}, mls::ContentType::application, Bytes(40, 7));
    return post("sendMessage", {{"convoId", convo_of(convo)},
                                {"msgId", id},
                                {"ciphertext", to_base64(catbird::testing::pad(bytes))},
                                {"epoch", at}});
  }
  void commit(std::size_t convo) {
    const auto at = epoch(convo);
    const auto bytes = make_private_message({group_of(convo), at}, mls::ContentType::commit,
                                            Bytes(40, static_cast<std::uint8_t>(user_)));
    post("addMembers",
         {{"convoId", convo_of(convo)}, {"didList", Json::array()}, {"commit", to_base64(bytes)}});
  }
  void page(const std::string& path) {
    status = raw_.ask("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n").status;
  }

 private:
  Json answer(const std::string& request) {
    const auto reply = raw_.ask(request);
    status = reply.status;
    return status == 0 ? Json() : Json::parse(reply.body);
  }

  std::size_t user_;
  RawClient raw_;
};

class NodeTsan : public ::testing::TestWithParam<bool> {
 protected:
  NodeTsan() {
    obs::configure_log("error");
    config_.sqlite_path = folder_.file("store.db");
    config_.secret_path = config_.sqlite_path + ".secret";
    config_.journal_path = config_.sqlite_path + ".tokens";
    config_.service_did = "did:web:localhost";
    config_.development = true;
    config_.jwt_secret = secret;
    config_.server.port = 0;
    config_.rates.per_minute = {};
    config_.workers = 3;
    config_.stream_events_max = 64;  // so that a slow stream falls behind
  }

  void start(bool actors) {
    config_.actors = actors;
    auto started = Node::start(config_);
    ASSERT_TRUE(started.has_value()) << started.error().detail;
    node_ = std::move(*started);
    thread_ = std::thread([this] { exit_code_ = node_->run(); });
  }
  void stop() {
    ::kill(::getpid(), SIGTERM);
    thread_.join();
    node_.reset();
    EXPECT_EQ(exit_code_, 0);
  }

  void create_all() {
    Client creator(node_->port(), 0);
    for (std::size_t convo = 0; convo < convos; ++convo) {
      Json members = Json::array();
      for (std::size_t user = 1; user < users; ++user) members.push_back(did_of(user));
      creator.post(
          "createConvo",
          {{"groupId", convo_of(convo)}, {"cipherSuite", suite}, {"initialMembers", members}});
      ASSERT_EQ(creator.status, 200);
    }
  }
  /// False if the server went before it was answered.
  bool send(Client& client, std::size_t convo, const std::string& id) {
    for (int i = 0; i < attempts_max; ++i) {
      const auto at = client.epoch(convo);
      if (client.status == 0) return false;
      const auto answer = client.message(convo, at, id);
      if (client.status == 0) return false;
      if (client.status == 409) continue;
      EXPECT_EQ(client.status, 200) << answer;
      const std::lock_guard lock(mutex_);
      acknowledged_[{convo, id}] = answer.value("seq", std::uint64_t{0});
      return true;
    }
    ADD_FAILURE() << "never accepted";
    return false;
  }
  void live(std::size_t user);
  void listen(std::size_t user, std::atomic<bool>& stop);
  void check_all();

  test::TempDir folder_;
  Config config_;
  std::unique_ptr<Node> node_;
  std::thread thread_;
  int exit_code_ = -1;
  std::mutex mutex_;
  std::map<std::pair<std::size_t, std::string>, std::uint64_t> acknowledged_;
};

std::string message_id(std::size_t user, std::size_t number) {
  auto digits = std::to_string(1'000'000 + user * 100'000 + number);
  return "01JDB4H5T6Q7W8E9R0T" + digits;
}

void NodeTsan::live(std::size_t user) {
  Client client(node_->port(), user);
  const Signer signer(1, did_of(user));
  for (std::size_t round = 0; round < rounds; ++round) {
    const auto convo = (user + round) % convos;
    ASSERT_TRUE(send(client, convo, message_id(user, round)));
    switch (round % 8) {
      case 0:
        client.commit(convo);
        EXPECT_TRUE(client.status == 200 || client.status == 409);
        break;
      case 1:
        client.post("publishKeyPackage",
                    {{"keyPackage",
                      to_base64(make_key_package(signer, did_of(user), {.serial = round}).bare)},
                     {"cipherSuite", suite}});
        EXPECT_EQ(client.status, 200);
        break;
      case 2:
        client.get("getKeyPackages", "dids=" + did_of((user + 1) % users));
        EXPECT_EQ(client.status, 200);
        break;
      case 3:
        client.page(round % 16 == 3 ? "/metrics" : "/health/ready");
        EXPECT_EQ(client.status, 200);
        break;
      case 4:
        client.get("getConvos", "");
        EXPECT_EQ(client.status, 200);
        break;
      default:
        client.get("getMessages", "convoId=" + convo_of(convo) + "&limit=20");
        EXPECT_EQ(client.status, 200);
    }
  }
}

// Streams that are opened, read a little and left, until told to stop or the server goes.
void NodeTsan::listen(std::size_t user, std::atomic<bool>& stop) {
  const auto port = node_->port();
  while (!stop) {
    RawClient raw(port, 4096);
    if (!raw.connected()) return;
    raw.send(get_text(user, "streamConvoEvents", "convoId=" + convo_of(user % convos)));
    for (int i = 0; i < 6 && !stop; ++i) {
      if (raw.read_until("\n\n").ends_with("<ended>")) return;
    }
  }
}

void NodeTsan::check_all() {
  Client reader(node_->port(), 1);
  std::map<std::pair<std::size_t, std::string>, std::uint64_t> stored;
  for (std::size_t convo = 0; convo < convos; ++convo) {
    std::uint64_t last = 0;
    for (;;) {
      const auto page =
          reader.get("getMessages",
                     "convoId=" + convo_of(convo) + "&limit=100&sinceSeq=" + std::to_string(last));
      ASSERT_EQ(reader.status, 200);
      if (page.at("messages").empty()) break;
      for (const auto& row : page.at("messages")) {
        ASSERT_EQ(row.at("seq").get<std::uint64_t>(), ++last);
        stored[{convo, row.at("id").get<std::string>()}] = last;
      }
    }
  }
  for (const auto& [name, seq] : acknowledged_) EXPECT_EQ(stored[name], seq) << name.second;
}

TEST_P(NodeTsan, a_mixed_load_a_drain_and_the_other_mode_lose_nothing) {
  start(GetParam());
  create_all();

  std::atomic<bool> stop_listening{false};
  {
    std::jthread first([&] { listen(0, stop_listening); });
    std::jthread second([&] { listen(1, stop_listening); });
    {
      std::vector<std::jthread> threads;
      for (std::size_t user = 0; user < users; ++user)
        threads.emplace_back([&, user] { live(user); });
    }
    EXPECT_GE(acknowledged_.size(), users * rounds);
    // Now with a SIGTERM in the middle: each sends until the server is gone.
    std::atomic<std::size_t> more{0};
    std::vector<std::jthread> threads;
    for (std::size_t user = 0; user < users; ++user) {
      threads.emplace_back([&, user] {
        Client client(node_->port(), user);
        for (std::size_t i = rounds; send(client, user % convos, message_id(user, i)); ++i) {
          if (++more == 30) ::kill(::getpid(), SIGTERM);
        }
      });
    }
    threads.clear();
    thread_.join();
    EXPECT_EQ(exit_code_, 0);
    stop_listening = true;
  }
  node_.reset();

  start(!GetParam());
  check_all();
  stop();
}

INSTANTIATE_TEST_SUITE_P(Modes, NodeTsan, ::testing::Bool(),
                         [](const auto& mode) { return mode.param ? "actors" : "direct"; });

}  // namespace
}  // namespace catbird::app
