// SPDX-License-Identifier: MIT
#include "app/orders.hpp"

#include "app/secret.hpp"
#include "auth/service_auth.hpp"
#include "obs/log.hpp"
#include "xrpc/devices/removed.hpp"
#include "xrpc/operator/acts.hpp"
#include "xrpc/texts.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>
#include <utility>
#include <vector>

namespace catbird::app {

namespace {

namespace fs = std::filesystem;
constexpr std::string_view log_target = "catbird_server::operator";
constexpr std::string_view order_end = ".order";
constexpr std::string_view answer_end = ".answer";
constexpr std::size_t reason_bytes_max = 500;
constexpr std::size_t order_bytes_max = 8'192;
constexpr std::size_t id_bytes = 16;
constexpr std::chrono::seconds answer_wait{60};
constexpr std::chrono::milliseconds answer_pause{50};

std::optional<std::string> text_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// There at once or not at all.
bool put_file(const fs::path& path, const std::string& text) {
  const fs::path draft = path.string() + ".new";
  {
    std::ofstream file(draft, std::ios::binary | std::ios::trunc);
    file << text;
    if (!file.flush()) return false;
  }
  std::error_code error;
  fs::rename(draft, path, error);
  return !error;
}

Result<void> check(const Order& order) {
  if (order.what == "acts") return {};
  if (order.what != "suspend" && order.what != "lift" && order.what != "erase") {
    return fail(Errc::invalid_request, "no such order");
  }
  if (!auth::is_valid_did(order.did)) return fail(Errc::invalid_request, "this is not a DID");
  if (order.reason.size() > reason_bytes_max || !xrpc::printable(order.reason)) {
    return fail(Errc::invalid_request, "the reason must be one line of up to 500 bytes");
  }
  return {};
}

Result<Order> read_order(const fs::path& path) {
  const auto text = text_of(path);
  if (!text || text->size() > order_bytes_max) return fail(Errc::invalid_request, "unreadable");
  Order order;
  std::size_t from = 0;
  for (auto* part : {&order.what, &order.did, &order.reason}) {
    const auto to = text->find('\n', from);
    if (to == std::string::npos) return fail(Errc::invalid_request, "unreadable");
    *part = text->substr(from, to - from);
    from = to + 1;
  }
  if (auto checked = check(order); !checked) return std::unexpected(checked.error());
  return order;
}

}  // namespace

std::string orders_folder(const Config& config) { return config.secret_path + ".orders"; }

Result<std::string> place_order(const Config& config, const Order& order) {
  if (auto checked = check(order); !checked) return std::unexpected(checked.error());
  const fs::path folder = orders_folder(config);
  const auto id = to_hex(random_bytes(id_bytes));
  const auto asked = folder / (id + std::string(order_end));
  const auto answered = folder / (id + std::string(answer_end));
  if (!put_file(asked, order.what + "\n" + order.did + "\n" + order.reason + "\n")) {
    return fail(Errc::storage_unavailable,
                "cannot write to " + folder.string() +
                    ": run this as the server's user, with its configuration, after its first "
                    "start");
  }
  std::error_code ignored;
  const auto deadline = std::chrono::steady_clock::now() + answer_wait;
  while (std::chrono::steady_clock::now() < deadline) {
    if (auto text = text_of(answered)) {
      fs::remove(answered, ignored);
      if (text->starts_with("ok ")) return text->substr(3);
      return fail(Errc::invalid_request, std::move(*text));
    }
    std::this_thread::sleep_for(answer_pause);
  }
  fs::remove(asked, ignored);
  return fail(Errc::storage_unavailable,
              "no server answered within a minute: is it running with this configuration?");
}

void Orders::start() {
  std::error_code error;
  fs::create_directories(folder_, error);
  if (!error) fs::permissions(folder_, fs::perms::owner_all, error);
  if (error) {
    obs::log(obs::Level::warn, log_target, "no orders of the operator: their folder is missing",
             {{"folder", folder_}, {"reason", error.message()}});
  }
  wait();
}

void Orders::wait() {
  services_.timers.post_after(every, [this] { look(); });
}

void Orders::look() {
  if (++rounds_ >= rounds_until_refresh) {
    rounds_ = 0;
    refresh();
    return;
  }
  // Files are looked at where blocking is allowed.
  services_.readers.run([this](storage::Reader&) {
    std::error_code error;
    std::vector<fs::path> found;
    for (fs::directory_iterator it(folder_, error), end; !error && it != end; it.increment(error)) {
      if (it->path().extension() == order_end) found.push_back(it->path());
    }
    if (found.empty()) return wait();
    const auto& path = *std::ranges::min_element(found);
    const auto id = path.stem().string();
    const auto order = read_order(path);
    if (!order) return answer(id, std::unexpected(order.error()));
    carry_out(id, *order);
  });
}

void Orders::carry_out(std::string id, const Order& order) {
  obs::log(obs::Level::info, log_target, "an order of the operator", {{"order", order.what}});
  auto* services = &services_;
  const core::Did user(order.did);
  auto act = order.what == "suspend" ? xrpc::suspend_user(services, user, order.reason)
             : order.what == "lift"  ? xrpc::lift_suspension(services, user, order.reason)
             : order.what == "erase" ? xrpc::erase_user(services, user, order.reason)
                                     : xrpc::list_acts(services);
  xrpc::run_detached<Result<std::string>>(
      std::move(act),
      [this, id = std::move(id)](Result<std::string> result) {
        services_.readers.run(
            [this, id, result = std::move(result)](storage::Reader&) { answer(id, result); });
      },
      [](const std::exception& error) -> Result<std::string> {
        return fail(Errc::internal, error.what());
      });
}

// The order goes last: a server killed before that carries it out once more, which is harmless.
void Orders::answer(const std::string& id, const Result<std::string>& result) {
  const fs::path folder = folder_;
  std::string text;
  if (result) {
    text = "ok " + *result;
  } else {
    text = result.error().detail.empty() ? "the store did not take it, try again"
                                         : result.error().detail;
  }
  std::error_code ignored;
  if (!put_file(folder / (id + std::string(answer_end)), text)) {
    obs::log(obs::Level::error, log_target, "an answer to the operator could not be written");
  }
  fs::remove(folder / (id + std::string(order_end)), ignored);
  wait();
}

void Orders::refresh() {
  look_beside(xrpc::refresh_suspensions(&services_), "who is suspended could not be read",
              [this] { refresh_devices(); });
}

void Orders::refresh_devices() {
  if (services_.live_is_complete()) return wait();  // nobody else removes devices
  look_beside(xrpc::end_removed_devices(&services_), "which devices were removed could not be read",
              [this] { wait(); });
}

void Orders::look_beside(xrpc::Task<Result<void>> look, std::string_view failure,
                         std::move_only_function<void()> then) {
  xrpc::run_detached<Result<void>>(
      std::move(look),
      [failure, then = std::move(then)](const Result<void>& done) mutable {
        if (!done) obs::log(obs::Level::warn, log_target, failure);
        then();
      },
      [](const std::exception& error) -> Result<void> {
        return fail(Errc::internal, error.what());
      });
}

}  // namespace catbird::app
