// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace catbird::race {

struct HttpAnswer {
  int status = 0;
  std::string body;
};

/// One keep-alive HTTP/1.1 connection to a server on loopback, blocking. Used by one thread.
class Connection {
 public:
  /// `port` is asked again at every connect: a server that was restarted has another one.
  explicit Connection(std::function<std::uint16_t()> port) : port_(std::move(port)) {}
  ~Connection() { close(); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Sends `request` once. Nothing: no whole answer came, so whether it had an effect is unknown;
  /// the next call connects anew.
  std::optional<HttpAnswer> exchange(const std::string& request);

 private:
  bool connect();
  bool write_all(const std::string& request) const;
  std::optional<HttpAnswer> read_answer();
  void close();

  std::function<std::uint16_t()> port_;
  int socket_ = -1;
};

}  // namespace catbird::race
