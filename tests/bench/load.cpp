// SPDX-License-Identifier: MIT
// catbird-load PORT SECRET AUD [PID]: closed-loop load on a development server. Prints requests per
// second and latencies of sendMessage and getEpoch beside /health/live in the same run, each as a
// ratio to it, and checks that every acknowledged message is stored exactly once.
#include "auth/service_auth.hpp"
#include "base/bytes.hpp"
#include "bench/http_load.hpp"
#include "support/mls_writer.hpp"

#include <fmt/core.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <set>
#include <string>
#include <vector>

namespace {

using namespace catbird;

constexpr std::size_t clients = 64;
constexpr std::size_t requests_per_row = 40'000;
constexpr std::size_t page_rows = 100;
const std::string did = "did:plc:loadgenerator234567aaaaa";

class Load {
 public:
  Load(std::uint16_t port, std::string secret, std::string aud)
      : port_(port), secret_(std::move(secret)), aud_(std::move(aud)) {}

  std::string token(const std::string& method) {
    const auto now = Timestamp(std::chrono::duration_cast<std::chrono::milliseconds>(
                                   std::chrono::system_clock::now().time_since_epoch())
                                   .count());
    return auth::mint_dev_token(secret_, did, aud_, "blue.catbird.mls." + method, now,
                                std::chrono::seconds(290), "load-" + std::to_string(++tokens_));
  }
  std::string get(const std::string& method, const std::string& query) {
    return "GET /xrpc/blue.catbird.mls." + method + "?" + query +
           " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token(method) + "\r\n\r\n";
  }
  std::string post(const std::string& method, const std::string& body) {
    return "POST /xrpc/blue.catbird.mls." + method +
           " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer " +
           token(method) + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  bench::LoadResult run(std::vector<std::string> requests,
                        const std::function<void(std::string_view)>& on_body = {}) {
    auto result = bench::run_load({port_, clients, std::move(requests)}, on_body);
    if (result.failed != 0) {
      fmt::print(stderr, "{} requests failed, the first:\n{}\n", result.failed,
                 result.first_failure);
      std::exit(1);
    }
    return result;
  }

  static std::string convo(std::size_t number) { return fmt::format("{:032x}", run_id() + number); }
  static std::uint64_t run_id() {
    static const auto id =
        static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
    return id;
  }

  void create(std::size_t count) {
    std::vector<std::string> requests;
    for (std::size_t i = 0; i < count; ++i) {
      requests.push_back(post(
          "createConvo", R"({"groupId":")" + convo(i) +
                             R"(","cipherSuite":"MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519"})"));
    }
    run(std::move(requests));
  }

  std::string message(std::size_t convo_number, std::size_t number) {
    const auto group = *from_hex(convo(convo_number));
    const auto frame = testing::pad(testing::make_private_message(
        {.group_id = group, .epoch = 0}, mls::ContentType::application, Bytes(180, 7)));
    return fmt::format(
        R"({{"convoId":"{}","msgId":"{:026d}","epoch":0,"paddedSize":{},"ciphertext":{{"$bytes":"{}"}}}})",
        convo(convo_number), number, frame.size(), to_base64(frame));
  }

  bench::LoadResult send(std::size_t convos, std::size_t count) {
    std::vector<std::string> requests;
    for (std::size_t i = 0; i < count; ++i) {
      requests.push_back(post("sendMessage", message(i % convos, ++messages_)));
    }
    return run(std::move(requests));
  }
  bench::LoadResult epochs(std::size_t convos, std::size_t count) {
    std::vector<std::string> requests;
    for (std::size_t i = 0; i < count; ++i) {
      requests.push_back(get("getEpoch", "convoId=" + convo(i % convos)));
    }
    return run(std::move(requests));
  }
  bench::LoadResult floor(std::size_t count) {
    return run(std::vector<std::string>(count, "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"));
  }

  /// Every page of a conversation: the numbers must be 1..expected, each once.
  bool stored(std::size_t convo_number, std::size_t expected) {
    std::size_t seen = 0;
    bool ordered = true;
    for (std::size_t since = 0; since < expected; since += page_rows) {
      run({get("getMessages", fmt::format("convoId={}&limit={}&sinceSeq={}", convo(convo_number),
                                          page_rows, since))},
          [&](std::string_view body) {
            for (std::size_t at = 0; (at = body.find("\"seq\":", at)) != std::string_view::npos;) {
              at += 6;
              ordered &= std::strtoull(body.data() + at, nullptr, 10) == ++seen;
            }
          });
    }
    return ordered && seen == expected;
  }

 private:
  std::uint16_t port_;
  std::string secret_, aud_;
  std::uint64_t tokens_ = 0;
  std::size_t messages_ = 0;
};

void print(const std::string& name, const bench::LoadResult& result, double floor) {
  fmt::print("| {:<34} | {:>9.0f} | {:>6.0f} | {:>6.0f} | {:>5.2f} |\n", name, result.per_second(),
             result.percentile_us(50), result.percentile_us(99), result.per_second() / floor);
}

long rss_kib(const std::string& pid) {
  std::ifstream status("/proc/" + pid + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::strtol(line.c_str() + 6, nullptr, 10);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    fmt::print(stderr, "usage: catbird-load PORT SECRET AUD [PID]\n");
    return 2;
  }
  Load load(static_cast<std::uint16_t>(std::strtoul(argv[1], nullptr, 10)), argv[2], argv[3]);
  const std::string pid = argc > 4 ? argv[4] : "";
  constexpr std::size_t many = 1'000;

  const auto before = pid.empty() ? 0 : rss_kib(pid);
  load.create(many);
  fmt::print("| {:<34} | {:>9} | {:>6} | {:>6} | {:>5} |\n",
             "64 clients, HS256 tokens, SQLite FULL", "req/s", "p50 us", "p99 us", "ratio");
  fmt::print("|{:-<36}|{:-<11}|{:-<8}|{:-<8}|{:-<7}|\n", "", "", "", "", "");
  const auto floor = load.floor(requests_per_row);
  print("/health/live (the floor)", floor, floor.per_second());
  print("getEpoch, 1 conversation", load.epochs(1, requests_per_row), floor.per_second());
  print("getEpoch, 1,000 conversations", load.epochs(many, requests_per_row), floor.per_second());
  print("sendMessage, 1 conversation", load.send(1, requests_per_row), floor.per_second());
  print("sendMessage, 1,000 conversations", load.send(many, requests_per_row), floor.per_second());

  const bool kept = load.stored(0, requests_per_row + requests_per_row / many) &&
                    load.stored(many - 1, requests_per_row / many);
  fmt::print("every acknowledged message stored once, numbers 1..N: {}\n", kept ? "yes" : "NO");
  if (!pid.empty()) {
    fmt::print("RSS at start {} KiB, after the run {} KiB\n", before, rss_kib(pid));
  }
  return kept ? 0 : 1;
}
