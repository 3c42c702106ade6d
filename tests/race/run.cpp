// SPDX-License-Identifier: MIT
#include "auth/service_auth.hpp"
#include "mls/verify.hpp"
#include "race/client.hpp"

#include <chrono>
#include <cstdlib>
#include <fstream>

namespace catbird::race {

namespace {

constexpr std::chrono::seconds token_life{290};

std::uint64_t wall_ms() {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                        std::chrono::system_clock::now().time_since_epoch())
                                        .count());
}

}  // namespace

Run::Run(Options given) : options(std::move(given)), log(options.log), start_(wall_ms()) {}

std::string Run::did(const std::string& name) const {
  constexpr std::string_view alphabet = "abcdefghijklmnopqrstuvwxyz234567";
  constexpr std::size_t characters = 24;
  const auto hash = mls::sha256(view_of(options.name + "/" + name));
  std::string did = "did:plc:";
  for (std::size_t i = 0; i < characters; ++i) did.push_back(alphabet[hash[i] % alphabet.size()]);
  return did;
}

std::string Run::convo(const std::string& name) const {
  return to_hex(ByteView(mls::sha256(view_of(options.name + "/convo " + name))).first(16));
}

std::string Run::token(const std::string& did, const std::string& method) {
  const auto jti = std::to_string(start_) + "-" + std::to_string(++tokens_);
  return auth::mint_dev_token(options.secret, did, options.aud, "blue.catbird.mls." + method,
                              Timestamp(static_cast<std::int64_t>(wall_ms())), token_life, jti);
}

std::uint16_t Run::port() {
  std::ifstream file(options.port_file);
  std::vector<std::uint16_t> ports;
  for (std::uint16_t port = 0; file >> port;) ports.push_back(port);
  return ports.empty() ? 0 : ports[connects_++ % ports.size()];
}

double Run::metric(const std::string& family) {
  Connection connection([this] { return port(); });
  const auto page = connection.exchange("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  expect(page && page->status == 200, "/metrics does not answer");
  double sum = 0;
  for (std::size_t at = 0; (at = page->body.find("\n" + family, at)) != std::string::npos; ++at) {
    const auto end = page->body.find('\n', at + 1);
    const auto line = page->body.substr(at + 1, end - at - 1);
    sum += std::strtod(line.c_str() + line.rfind(' '), nullptr);
  }
  return sum;
}

}  // namespace catbird::race
