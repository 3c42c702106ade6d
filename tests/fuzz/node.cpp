// SPDX-License-Identifier: MIT
#include "fuzz/node.hpp"

#include "actors/direct_gateway.hpp"
#include "base/check.hpp"
#include "obs/log.hpp"

#include <simdjson.h>

#include <utility>

namespace catbird::fuzz {

namespace {

// Made once: a registry of metrics costs more than all else here, and nothing is read from it.
obs::Metrics& metrics() {
  static const auto all = [] {
    obs::configure_log("off");
    return obs::Metrics::create();
  }();
  return *all;
}

constexpr std::string_view prefix = "/xrpc/blue.catbird.mls.";

http::Request request_of(http::Method method, std::string path, std::string_view caller) {
  http::Request request;
  request.method = method;
  request.path = std::move(path);
  request.authorization = caller;
  request.peer = "192.0.2.1";
  return request;
}

}  // namespace

void RecentBlocks::of(const std::string&, social::Age age, Done done) {
  std::vector<social::Block> blocks;
  if (age == social::Age::now) {
    blocks.push_back({"did:web:alice.example", "at://x/app.bsky.graph.block/1", Timestamp{1}});
  }
  done(std::make_shared<const social::BlockList>(std::move(blocks)));
}

void NamedAuth::verify(std::string authorization, std::string,
                       std::move_only_function<void(Result<auth::Identity>)> done) {
  const auto hash = authorization.find('#');
  auto device = hash == std::string::npos ? "" : authorization.substr(hash + 1);
  done(auth::Identity{authorization.substr(0, hash), std::move(device)});
}

Node::Node(storage::MemoryDisk& disk, bool actors)
    : disk_(disk),
      stores_(storage::open_memory(disk)),
      reader_(std::move(*stores_->open_reader())),
      worker_(std::in_place, time),
      lane_thread_(std::in_place, time),
      reads_(std::in_place, time),
      hub_({}, metrics()),
      readers_(*reads_, *reader_),
      lane_(*lane_thread_, stores_->writer(), hub_, metrics()),
      actor_metrics_(metrics()),
      tags_(Bytes(32, 1)),
      seal_(Bytes(32, 1)),
      limiter_({.per_minute = {}}) {
  engine_.reset(new actors::Engine{.lane = lane_,
                                   .readers = readers_,
                                   .clock = clock,
                                   .metrics = actor_metrics_,
                                   .fence = stores_->writer().draw_fence()->value});
  const std::vector<actors::Executor*> workers{&*worker_};
  if (actors) {
    auto gateway = std::make_unique<actors::ActorGateway>(workers, *engine_);
    actors_ = gateway.get();
    gateway_ = std::move(gateway);
  } else {
    gateway_ = std::make_unique<actors::DirectGateway>(
        actors::DirectGateway::Parts{workers, lane_, readers_, clock, actor_metrics_});
  }
  services_.reset(new xrpc::Services{.gateway = *gateway_,
                                     .lane = lane_,
                                     .readers = readers_,
                                     .timers = *worker_,
                                     .workers = workers,
                                     .hub = hub_,
                                     .auth = auth_,
                                     .clock = clock,
                                     .tags = tags_,
                                     .seal = seal_,
                                     .limiter = limiter_,
                                     .metrics = metrics(),
                                     .settings = {.service_did = "did:web:mls.example.org",
                                                  .public_endpoint = {},
                                                  .websocket_endpoint = {},
                                                  .incarnation = stores_->incarnation(),
                                                  .metrics_token = {}},
                                     .blocks = &blocks_});
  router_ = std::make_unique<xrpc::Router>(*services_, readiness_);
}

Node::~Node() {
  lane_thread_.reset();
  reads_.reset();
  worker_.reset();
}

http::Response Node::get(std::string_view path, std::string_view caller) {
  auto request = request_of(http::Method::get, std::string(prefix), caller);
  request.path += path.substr(0, path.find('?'));
  if (path.contains('?')) request.query = path.substr(path.find('?') + 1);
  return send(std::move(request));
}

http::Response Node::post(std::string_view path, std::string_view body, std::string_view caller) {
  auto request = request_of(http::Method::post, std::string(prefix), caller);
  request.path += path;
  request.content_type = "application/json";
  request.body = body;
  return send(std::move(request));
}

http::Response Node::send(http::Request request) {
  request.body.reserve(request.body.size() + 64);  // as http::Request promises
  std::optional<http::Response> response;
  router_->handle(std::move(request), [&](http::Response one) {
    CATBIRD_CHECK(!response.has_value());
    response = std::move(one);
  });
  settle();
  CATBIRD_CHECK(response.has_value());
  return std::move(*response);
}

std::string Node::read_stream(http::BodySource& stream, std::size_t chunks_max) {
  std::string text;
  // Shared: what comes after the client went away finds somebody to ignore it.
  const auto told = std::make_shared<std::optional<http::BodySource::Chunk>>();
  for (std::size_t i = 0; i < chunks_max; ++i) {
    told->reset();
    stream.next([told](http::BodySource::Chunk chunk) { *told = std::move(chunk); });
    settle();
    if (!told->has_value() || !(*told)->has_value()) break;
    text += ***told;
  }
  stream.cancel();
  settle();
  return text;
}

void Node::sweep() {
  if (actors_ != nullptr) actors_->sweep();
  settle();
}

void check_answer(const http::Response& response) {
  namespace dom = simdjson::dom;
  CATBIRD_CHECK(response.status >= 200 && (response.status < 500 || response.status == 501));
  if (response.stream) {
    CATBIRD_CHECK(response.status == 200 && response.content_type == "text/event-stream");
    return;
  }
  static dom::parser parser;
  dom::element root;
  const bool is_json = response.content_type == "application/json";
  if (!is_json) {  // the pages of operators
    CATBIRD_CHECK(response.content_type.starts_with("text/plain"));
    return;
  }
  CATBIRD_CHECK(parser.parse(response.body).get(root) == simdjson::SUCCESS && root.is_object());
  if (response.status < 400) return;
  std::string_view error;
  std::string_view message;
  CATBIRD_CHECK(root["error"].get(error) == simdjson::SUCCESS && !error.empty());
  CATBIRD_CHECK(root["message"].get(message) == simdjson::SUCCESS && !message.empty());
}

}  // namespace catbird::fuzz
