// SPDX-License-Identifier: MIT
#pragma once

#include "app/config.hpp"
#include "base/result.hpp"
#include "xrpc/services.hpp"
#include "xrpc/task.hpp"

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

namespace catbird::app {

/// What the operator's commands ask of the running server, which alone writes the database: files
/// in a folder of the server's user, beside its secret (docs/adr/0020).
struct Order {
  std::string what;  // suspend, lift, erase, acts
  std::string did;   // nothing for acts
  std::string reason;
};

/// Puts the order into the folder and waits for the answer of the server. Fails with one line.
Result<std::string> place_order(const Config& config, const Order& order);

/// Takes orders out of the folder, one at a time, and keeps the list of suspended users as the
/// store has it, which other servers may change.
class Orders {
 public:
  /// `services` and this outlive the last timer and read.
  Orders(std::string folder, xrpc::Services& services)
      : folder_(std::move(folder)), services_(services) {}
  /// Makes the folder; who is suspended is known by then. Where that is not possible the server
  /// runs without orders, and says so.
  void start();

 private:
  static constexpr std::chrono::milliseconds every{500};
  static constexpr int rounds_until_refresh = 10;

  void wait();
  void look();
  void carry_out(std::string id, const Order& order);
  void answer(const std::string& id, const Result<std::string>& result);
  void refresh();
  void refresh_devices();
  /// At what other servers of the same store did; `failure`: a literal, for the log.
  void look_beside(xrpc::Task<Result<void>> look, std::string_view failure,
                   std::move_only_function<void()> then);

  const std::string folder_;
  xrpc::Services& services_;
  int rounds_ = 0;
};

/// Where both find it.
std::string orders_folder(const Config& config);

}  // namespace catbird::app
