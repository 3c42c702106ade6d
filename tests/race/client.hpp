// SPDX-License-Identifier: MIT
#pragma once

#include "base/bytes.hpp"
#include "race/answer.hpp"
#include "race/history_log.hpp"
#include "race/wire.hpp"

#include <simdjson.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace catbird::race {

/// SHA-256 in hexadecimal, as the history names bytes.
std::string sha_of(ByteView bytes);

/// One run against one server: what all its clients share. Users and conversations follow from the
/// run's name, so that a second program of the same name meets them again.
class Run {
 public:
  struct Options {
    std::string name;
    // Holds the server's port, or one for each server of the store; read at every connect.
    std::string port_file;
    std::string secret, aud;
    std::string log;
    std::string mode;       // actors or direct: whether actor metrics are expected
    std::size_t scale = 0;  // of the scenario; 0: as it is meant
  };
  explicit Run(Options options);

  std::string did(const std::string& name) const;
  /// 32 hexadecimal characters.
  std::string convo(const std::string& name) const;
  std::string token(const std::string& did, const std::string& method);
  /// Each connect goes to the next server.
  std::uint16_t port();
  std::size_t scaled(std::size_t usual) const { return options.scale == 0 ? usual : options.scale; }
  /// The sum of a metric's family on the server's page.
  double metric(const std::string& family);

  const Options options;
  HistoryLog log;

 private:
  std::atomic<std::uint64_t> tokens_{0};
  std::atomic<std::size_t> connects_{0};
  std::uint64_t start_;
};

/// A message or a commit, made once, so that it can be sent again as it is.
struct Prepared {
  std::string op, method;
  std::string body{};
  std::string fields{};  // of the history
  std::uint64_t epoch = 0;
};
struct Change {
  std::vector<std::string> adds{}, removes{};  // DIDs
  /// Whom the Welcome is for; their devices are added whether or not `adds` names the user.
  std::vector<SeenPackage> welcomed{};
  std::vector<Bytes> refs{};  // of `welcomed`, in the same order
};

/// One user with one connection; used by one thread at a time. Every call is in the run's log.
class Client {
 public:
  Client(Run& run, std::string name);

  const std::string& did() const { return did_; }
  std::mt19937_64& random() { return random_; }

  Prepared message(const std::string& convo, std::uint64_t epoch);
  /// A PublicMessage with path, signed, its Adds inline.
  Prepared commit(const std::string& convo, std::uint64_t epoch, const Change& change = {});
  Prepared creation(const std::string& convo, const std::vector<std::string>& members);

  /// Sends it once.
  Reply once(const Prepared& prepared);
  /// Sends it until the outcome is known: D3 says that is allowed, and what it yields.
  Reply settle(const Prepared& prepared);

  Reply page(const std::string& convo, std::uint64_t since, std::size_t limit = 100);
  Reply commits(const std::string& convo, std::uint64_t from_epoch);
  Reply epoch(const std::string& convo);
  Reply convos();
  Reply mark(const std::string& convo, std::uint64_t seq);
  Reply claim(const std::vector<std::string>& dids);
  Reply publish(const std::string& device, const std::vector<Bytes>& packages);
  Reply welcome(const std::string& convo, const std::string& device);
  Reply confirm(const std::string& convo, const std::string& device);

  /// All rows, by pages from `since` on.
  std::vector<SeenRow> all_rows(const std::string& convo, std::uint64_t since = 0);
  std::uint64_t current_epoch(const std::string& convo) { return known(epoch(convo)).epoch; }

 private:
  struct Request {
    std::string op, method, fields;
    std::string query, body;  // one of them
  };
  Reply call(const Request& request);
  Reply settled(const Request& request);
  static const Reply& known(const Reply& reply);
  Bytes noise(std::size_t size);
  std::string fresh_id();

  Run& run_;
  std::string did_;
  Connection connection_;
  std::mt19937_64 random_;
  simdjson::dom::parser parser_;
};

}  // namespace catbird::race
