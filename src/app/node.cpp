// SPDX-License-Identifier: MIT
#include "app/node.hpp"

#include "actors/actor_gateway.hpp"
#include "actors/direct_gateway.hpp"
#include "app/did_fetch.hpp"
#include "app/foreign_rows.hpp"
#include "app/io_executor.hpp"
#include "app/open_store.hpp"
#include "app/orders.hpp"
#include "app/retention.hpp"
#include "app/system_clock.hpp"
#include "app/threads.hpp"
#include "http/fetch.hpp"
#include "http/server.hpp"
#include "obs/catalogue.hpp"
#include "obs/log.hpp"
#include "social/block_reader.hpp"
#include "social/limits.hpp"
#include "xrpc/operator/acts.hpp"
#include "xrpc/router.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/signal_set.hpp>
#include <malloc.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <thread>
#include <utility>
#include <vector>

namespace catbird::app {

namespace {

namespace asio = boost::asio;
constexpr std::string_view log_target = "catbird_server";
constexpr std::chrono::seconds drain_max{9};  // exit within ten

void say(std::string message) { obs::log(obs::Level::info, log_target, message); }

// After an I/O error under the writer nothing more may be acknowledged (D5): no destructor, no
// flush, just out. The unit restarts the process, which rebuilds from what is on disk.
[[noreturn]] void die(const std::string& reason) {
  obs::log(obs::Level::error, log_target, "the database failed, stopping at once",
           {{"reason", reason}});
  ::_exit(1);
}

struct Worker {
  asio::io_context io{1};
  IoExecutor executor{io};
  asio::executor_work_guard<asio::io_context::executor_type> work = asio::make_work_guard(io);
};

class NodeImpl final : public Node {
 public:
  explicit NodeImpl(const Config& config) : config_(config) {}
  ~NodeImpl() override { stop_threads(); }

  Result<void> open();
  std::uint16_t port() const override { return server_->port(); }
  int run() override;

 private:
  Result<void> open_database();
  Result<void> open_auth();
  void open_blocks();
  void build_engine(core::Fence fence);
  Result<void> open_retention();
  Result<void> open_orders();
  void open_gateway(const std::vector<actors::Executor*>& executors);
  Result<void> listen();
  xrpc::ServiceSettings settings() const;
  void collect_gauges();
  void drain();
  void stop_threads();

  const Config config_;
  SystemClock clock_;
  std::unique_ptr<obs::Metrics> metrics_ = obs::Metrics::create();
  std::unique_ptr<storage::Stores> stores_;
  std::unique_ptr<xrpc::SenderTags> tags_;
  std::unique_ptr<xrpc::TokenSeal> seal_;
  std::unique_ptr<realtime::Hub> hub_;
  std::unique_ptr<xrpc::RateLimiter> limiter_;
  // Destroyed before the hub and after everything that still posts: see stop_threads().
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::unique_ptr<BlockingThread>> lane_threads_;
  std::unique_ptr<ReaderPool> readers_;
  std::vector<std::unique_ptr<actors::CommitLane>> lanes_;
  std::unique_ptr<ForeignRows> foreign_rows_;
  std::unique_ptr<Orders> orders_;
  std::unique_ptr<Retention> retention_;
  std::unique_ptr<actors::ActorMetrics> actor_metrics_;
  std::unique_ptr<actors::Engine> engine_;
  std::unique_ptr<actors::Gateway> gateway_;
  std::unique_ptr<http::Fetcher> fetcher_;
  std::unique_ptr<auth::ServiceAuth> auth_;
  std::unique_ptr<http::Fetcher> block_fetcher_;
  std::shared_ptr<social::BlockReader> blocks_;  // null: off
  std::unique_ptr<xrpc::Services> services_;
  xrpc::Readiness readiness_;
  std::unique_ptr<xrpc::Router> router_;
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<asio::signal_set> signals_;
  std::vector<std::thread> threads_;
};

Result<void> NodeImpl::open() {
  say("Starting Catbird MLS Server");
  for (const auto& remark : config_.remarks) say(remark);
  say("Authentication configuration loaded");
  obs::describe_families(*metrics_);
  say("Metrics initialized");
  if (auto opened = open_database(); !opened) return opened;
  say("Database initialized");
  const auto count =
      config_.workers != 0 ? config_.workers : std::max(1U, std::thread::hardware_concurrency());
  for (unsigned i = 0; i < count; ++i) workers_.push_back(std::make_unique<Worker>());
  hub_ = std::make_unique<realtime::Hub>(
      realtime::HubLimits{.queue_events_max = config_.stream_events_max}, *metrics_);
  say("SSE state initialized with buffer size " + std::to_string(config_.stream_events_max));
  if (auto opened = open_auth(); !opened) return opened;

  auto fence = stores_->writer().draw_fence();
  if (!fence) return std::unexpected(fence.error());
  auto pool = ReaderPool::open(*stores_, config_.readers);
  if (!pool) return std::unexpected(pool.error());
  readers_ = std::move(*pool);
  build_engine(*fence);
  if (auto opened = open_retention(); !opened) return opened;
  if (auto opened = open_orders(); !opened) return opened;
  return listen();
}

Result<void> NodeImpl::open_database() {
  auto opened = open_store(config_, die);
  if (!opened) return std::unexpected(opened.error());
  stores_ = std::move(opened->stores);
  tags_ = std::move(opened->tags);
  seal_ = std::move(opened->seal);
  return {};
}

Result<void> NodeImpl::open_auth() {
  fetcher_ = http::Fetcher::create(workers_.front()->io);
  auth::AuthOptions options;
  options.service_did = config_.service_did;
  options.plc_directory_url = config_.plc_directory_url;
  options.development = config_.development;
  options.jwt_secret = config_.jwt_secret;
  options.journal_path = config_.journal_path;
  options.did_host_allowlist = config_.did_host_allowlist;
  auto opened =
      auth::ServiceAuth::open(std::move(options), clock_,
                              did_fetch(*fetcher_, {config_.development, config_.did_deadline}));
  if (!opened) return std::unexpected(opened.error());
  auth_ = std::move(*opened);
  return {};
}

// A way out of its own: however many lists are read, the keys of callers are fetched.
void NodeImpl::open_blocks() {
  if (!config_.block_checks) {
    say("Bluesky blocks are not read (ENABLE_BLOCK_CHECKS)");
    return;
  }
  block_fetcher_ = http::Fetcher::create(workers_.front()->io);
  blocks_ = std::make_shared<social::BlockReader>(
      social::BlockReaderOptions{.plc_directory_url = config_.plc_directory_url,
                                 .development = config_.development,
                                 .did_host_allowlist = config_.did_host_allowlist},
      clock_,
      did_fetch(*block_fetcher_,
                {config_.development, config_.did_deadline, social::page_bytes_max}));
}

void NodeImpl::build_engine(core::Fence fence) {
  std::vector<actors::CommitLane*> lanes;
  for (std::size_t i = 0; i < stores_->lanes(); ++i) {
    lane_threads_.push_back(std::make_unique<BlockingThread>());
    lanes_.push_back(std::make_unique<actors::CommitLane>(*lane_threads_.back(), stores_->lane(i),
                                                          *hub_, *metrics_));
    lanes.push_back(lanes_.back().get());
  }
  auto alone = [this] { return stores_->alone(); };
  actor_metrics_ = std::make_unique<actors::ActorMetrics>(*metrics_);
  engine_.reset(new actors::Engine{.lane = *lanes_.front(),
                                   .readers = *readers_,
                                   .clock = clock_,
                                   .metrics = *actor_metrics_,
                                   .fence = fence.value,
                                   .idle_timeout = config_.actor_idle_timeout,
                                   .actor_bytes_max = config_.actor_bytes_max,
                                   .convo_labels = config_.convo_labels,
                                   .lanes = lanes,
                                   .alone = alone,
                                   .give_memory_back = [] { malloc_trim(0); }});
  std::vector<actors::Executor*> executors;
  executors.reserve(workers_.size());
  for (auto& worker : workers_) executors.push_back(&worker->executor);
  open_gateway(executors);
  limiter_ = std::make_unique<xrpc::RateLimiter>(config_.rates);
  open_blocks();
  services_.reset(new xrpc::Services{
      .gateway = *gateway_,
      .lane = *lanes_.front(),
      .readers = *readers_,
      .timers = workers_.front()->executor,
      .workers = executors,
      .hub = *hub_,
      .auth = *auth_,
      .clock = clock_,
      .tags = *tags_,
      .seal = *seal_,
      .limiter = *limiter_,
      .metrics = *metrics_,
      .settings = settings(),
      .live_is_complete = [this] { return stores_->alone() && lanes_.size() == 1; },
      .blocks = blocks_.get()});
  foreign_rows_.reset(new ForeignRows(
      {.timers = workers_.front()->executor, .readers = *readers_, .hub = *hub_, .alone = alone}));
  foreign_rows_->start();
  orders_ = std::make_unique<Orders>(orders_folder(config_), *services_);
  router_ = std::make_unique<xrpc::Router>(*services_, readiness_);
  metrics_->on_collect([this] { collect_gauges(); });
}

// Nobody who is suspended is served, not even in the first moment.
Result<void> NodeImpl::open_orders() {
  auto reader = stores_->open_reader();
  if (!reader) return std::unexpected(reader.error());
  auto users = xrpc::suspended_users(**reader);
  if (!users) return std::unexpected(users.error());
  services_->suspended.replace(std::move(*users));
  orders_->start();
  return {};
}

Result<void> NodeImpl::open_retention() {
  auto own = stores_->open_cleaner();
  if (!own) return std::unexpected(own.error());
  retention_.reset(new Retention(config_.retention, {.timers = workers_.front()->executor,
                                                     .lane = *lanes_.front(),
                                                     .clock = clock_,
                                                     .metrics = *metrics_,
                                                     .own = std::move(*own)}));
  retention_->start();
  return {};
}

void NodeImpl::open_gateway(const std::vector<actors::Executor*>& executors) {
  if (!config_.actors) {
    say("Actor system disabled (ENABLE_ACTOR_SYSTEM): every request is a transaction of its own");
    gateway_ = std::make_unique<actors::DirectGateway>(
        actors::DirectGateway::Parts{.workers = executors,
                                     .lane = *lanes_.front(),
                                     .readers = *readers_,
                                     .clock = clock_,
                                     .metrics = *actor_metrics_,
                                     .lanes = engine_->lanes});
    return;
  }
  say("Initializing ActorRegistry");
  auto actors = std::make_unique<actors::ActorGateway>(executors, *engine_);
  actors->start();
  gateway_ = std::move(actors);
  say("Actor registry initialized");
}

xrpc::ServiceSettings NodeImpl::settings() const {
  xrpc::ServiceSettings settings;
  settings.service_did = config_.service_did;
  settings.public_endpoint = config_.public_endpoint;
  settings.websocket_endpoint = config_.websocket_endpoint;
  settings.incarnation = stores_->incarnation();
  settings.actors = config_.actors;
  settings.serve_metrics = config_.metrics;
  settings.metrics_token = config_.metrics_token;
  settings.ip_per_minute = config_.ip_per_minute;
  settings.devices_max = config_.devices_max;
  return settings;
}

void NodeImpl::collect_gauges() {
  actor_metrics_->mailbox_depth.set(static_cast<double>(engine_->letters.load()));
  metrics_->gauge("actor_registry_active_actors", "Actors in memory")
      .set(static_cast<double>(engine_->active_actors.load()));
  const auto backlog = hub_->backlog();
  metrics_->gauge("realtime_queue_depth", "Events waiting for subscribers")
      .set(static_cast<double>(backlog.events));
  metrics_->gauge("event_stream_size_bytes", "Bytes waiting for subscribers")
      .set(static_cast<double>(backlog.bytes));
  const auto stats = stores_->stats();
  const double own = config_.readers + 1.0;  // SQLite's
  metrics_->gauge("database_connections_active", "Open database connections")
      .set(stats.connections != 0 ? static_cast<double>(stats.connections) : own);
  auto put = [this](std::string_view name, std::string_view help, std::uint64_t value) {
    metrics_->gauge(name, help).set(static_cast<double>(value));
  };
  put("storage_corrupt_rows", "Rows refused for their checksum since start; must be 0",
      stats.corrupt_rows);
  put("storage_checkpoints", "WAL checkpoints since start", stats.checkpoints);
  put("storage_checkpoint_pause_microseconds", "Time the lane waited for checkpoints",
      stats.checkpoint_pause_us);
  put("storage_checkpoint_pause_max_microseconds", "The longest such wait",
      stats.checkpoint_pause_max_us);
  put("storage_batch_splits", "Batches taken apart to find a guilty write since start",
      stats.splits);
  put("storage_connections_lost", "Database connections lost since start", stats.connections_lost);
  put("storage_wal_bytes", "Write-ahead log after the last commit", stats.wal_bytes);
  if (server_) {
    metrics_->gauge("http_connections_active", "Open HTTP connections")
        .set(static_cast<double>(server_->connections()));
  }
}

Result<void> NodeImpl::listen() {
  std::vector<asio::io_context*> contexts;
  contexts.reserve(workers_.size());
  for (auto& worker : workers_) contexts.push_back(&worker->io);
  auto server =
      http::Server::start(contexts, config_.server,
                          [router = router_.get()](http::Request request, http::Respond respond) {
                            router->handle(std::move(request), std::move(respond));
                          });
  if (!server) return std::unexpected(server.error());
  server_ = std::move(*server);
  signals_ = std::make_unique<asio::signal_set>(workers_.front()->io, SIGTERM, SIGINT);
  return {};
}

int NodeImpl::run() {
  signals_->async_wait([this](auto error, int) {
    if (!error) drain();
  });
  readiness_.accepting = true;
  say("Server listening on " + config_.server.host + ":" + std::to_string(server_->port()));
  for (auto& worker : workers_) {
    threads_.emplace_back([&io = worker->io] { io.run(); });
  }
  for (auto& thread : threads_) thread.join();
  threads_.clear();
  stop_threads();
  say("Catbird MLS Server stopped");
  return 0;
}

void NodeImpl::drain() {
  say("Shutting down all " + std::to_string(gateway_->active_actors()) + " actors");
  readiness_.accepting = false;
  auto stop = [this] {
    for (auto& worker : workers_) {
      worker->work.reset();
      worker->io.stop();
    }
  };
  workers_.front()->executor.post_after(drain_max, [stop] {
    obs::log(obs::Level::warn, log_target, "drain took too long, stopping with requests open");
    stop();
  });
  server_->drain(stop);
}

// Order matters: first nothing runs on the workers, then what the lane and the readers still have
// queued runs to its end (decided writes become durable), then the tasks that came back are
// destroyed with the contexts while everything they refer to still stands.
void NodeImpl::stop_threads() {
  for (auto& worker : workers_) worker->io.stop();
  for (auto& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
  threads_.clear();
  if (retention_) retention_->stop();
  for (auto& thread : lane_threads_) thread->stop();
  if (readers_) readers_->stop();
  signals_.reset();
  server_.reset();
  fetcher_.reset();
  block_fetcher_.reset();
  workers_.clear();
}

}  // namespace

Result<std::unique_ptr<Node>> Node::start(const Config& config) {
  auto node = std::make_unique<NodeImpl>(config);
  if (auto opened = node->open(); !opened) return std::unexpected(opened.error());
  return node;
}

}  // namespace catbird::app
