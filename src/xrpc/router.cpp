// SPDX-License-Identifier: MIT
#include "xrpc/router.hpp"

#include "obs/log.hpp"
#include "xrpc/error_table.hpp"
#include "xrpc/json_writer.hpp"
#include "xrpc/task.hpp"

#include <algorithm>
#include <utility>

namespace catbird::xrpc {

namespace {

constexpr std::string_view xrpc_prefix = "/xrpc/";
constexpr std::string_view log_target = "catbird_server::xrpc";

// Label values come from the table only: a client cannot grow the page.
struct Recorder {
  obs::Metrics& metrics;
  actors::Executor& timers;
  std::string nsid;
  actors::Instant began;

  void record(int status) const {
    metrics
        .counter("http_requests_total", "HTTP requests",
                 "method=" + nsid + ",status=" + std::to_string(status))
        .add();
    metrics
        .histogram("http_request_duration_seconds", "From the parsed request to the answer",
                   "method=" + nsid)
        .observe(std::chrono::duration<double>(timers.now() - began).count());
  }
};

bool is_json(std::string_view content_type) {
  constexpr std::string_view json = "application/json";
  auto type = content_type.substr(0, content_type.find(';'));
  while (type.ends_with(' ')) type.remove_suffix(1);
  // Media types have no case (RFC 9110 §8.3.1).
  return type.empty() || std::ranges::equal(type, json, [](char given, char known) {
           return (given >= 'A' && given <= 'Z' ? given - 'A' + 'a' : given) == known;
         });
}

http::Response text_response(int status, std::string text) {
  http::Response response;
  response.status = status;
  response.content_type = "text/plain; charset=utf-8";
  response.body = std::move(text);
  return response;
}

RateLimits address_limits(std::uint32_t per_minute) {
  RateLimits limits;
  limits.per_minute.fill(per_minute);
  return limits;
}

http::Response internal_error(const std::exception& error) {
  // An exception is a bug or exhausted memory: reported once, here.
  obs::log(obs::Level::error, log_target, "request failed",
           {{"reason", std::string(error.what())}});
  return error_response(Error{Errc::internal, {}, {}, 0});
}

}  // namespace

Router::Router(Services& services, Readiness& readiness)
    : services_(services),
      readiness_(readiness),
      by_address_(address_limits(services.settings.ip_per_minute)) {}

void Router::handle(http::Request request, http::Respond respond) {
  const std::string_view path = request.path;
  if (path.starts_with(xrpc_prefix)) {
    if (path == "/xrpc/_health") {
      JsonWriter json;
      json.open().key("version").text(CATBIRD_VERSION).close();
      respond(http::Response{.body = json.take()});
      return;
    }
    call_method(std::move(request), std::move(respond));
    return;
  }
  if (request.method != http::Method::get && request.method != http::Method::head) {
    respond(plain_error(405, "InvalidRequest", "only GET works here"));
  } else if (path == "/health/live") {
    respond(text_response(200, "OK"));
  } else if (path == "/health") {
    health(std::move(respond));
  } else if (path == "/health/ready") {
    ready(std::move(respond));
  } else if (path == "/metrics" && services_.settings.serve_metrics) {
    respond(metrics_page(request));
  } else if (path == "/.well-known/did.json") {
    respond(did_document());
  } else {
    respond(plain_error(404, "NotFound", "no such page"));
  }
}

void Router::call_method(http::Request request, http::Respond respond) {
  const auto nsid = request.path.substr(xrpc_prefix.size());
  const auto* endpoint = find_endpoint(nsid);
  if (endpoint == nullptr) {
    respond(error_response(Error{Errc::not_implemented, {}, {}, 0}));
    return;
  }
  Recorder recorder{services_.metrics, services_.timers,
                    std::string(nsid.substr(nsid.rfind('.') + 1)), services_.timers.now()};
  auto answer = [recorder = std::move(recorder),
                 respond = std::move(respond)](http::Response response) mutable {
    recorder.record(response.status);
    respond(std::move(response));
  };
  if (request.method != endpoint->method) {
    auto response = plain_error(405, "InvalidRequest", "wrong HTTP method for this XRPC method");
    response.headers.emplace_back("Allow", endpoint->method == http::Method::post ? "POST" : "GET");
    answer(std::move(response));
    return;
  }
  if (const auto wait = by_address_.take(request.peer, RateClass::other, services_.timers.now());
      wait != 0) {
    answer(error_response(Error{Errc::rate_limited, {}, {}, wait}));
    return;
  }
  auto authorization = std::exchange(request.authorization, {});
  if (endpoint->by_ticket) {
    // Whatever stands in Authorization is meant for somebody else (the user's own OAuth
    // token), and is not looked at.
    Call call{.services = &services_, .caller = {}, .request = std::move(request)};
    run_detached<http::Response>(endpoint->handler(std::move(call)), std::move(answer),
                                 internal_error);
    return;
  }
  services_.auth.verify(std::move(authorization), nsid,
                        [this, endpoint, request = std::move(request),
                         answer = std::move(answer)](Result<auth::Identity> identity) mutable {
                          if (!identity) {
                            answer(error_response(identity.error()));
                            return;
                          }
                          Call call{.services = &services_,
                                    .caller = {core::Did(std::move(identity->did)),
                                               core::DeviceId(std::move(identity->device))},
                                    .request = std::move(request)};
                          authenticated(*endpoint, std::move(call), std::move(answer));
                        });
}

void Router::authenticated(const Endpoint& endpoint, Call call, http::Respond respond) {
  if (services_.suspended.contains(call.caller.user)) {
    respond(error_response(Error{Errc::account_suspended, {}, {}, 0}));
    return;
  }
  const auto wait =
      services_.limiter.take(call.caller.user.value, endpoint.rate, services_.timers.now());
  if (wait != 0) {
    services_.metrics
        .counter("rate_limit_drops_total", "Requests refused by a rate limit",
                 "endpoint=" + std::string(endpoint.nsid.substr(endpoint.nsid.rfind('.') + 1)))
        .add();
    respond(error_response(Error{Errc::rate_limited, {}, {}, wait}));
    return;
  }
  if (endpoint.method == http::Method::post && !is_json(call.request.content_type)) {
    respond(plain_error(415, "InvalidRequest", "the body must be application/json"));
    return;
  }
  run_detached<http::Response>(endpoint.handler(std::move(call)), std::move(respond),
                               internal_error);
}

void Router::ready(http::Respond respond) {
  services_.readers.run([this, respond = std::move(respond)](storage::Reader& reader) mutable {
    const bool store = reader.ping().has_value();
    const bool ready = readiness_.accepting.load() && store;
    JsonWriter json;
    json.open().key("ready").boolean(ready).key("checks").open();
    json.key("database").boolean(store).key("actors").boolean(true).close().close();
    respond(http::Response{.status = ready ? 200 : 503, .body = json.take()});
  });
}

void Router::health(http::Respond respond) {
  services_.readers.run([this, respond = std::move(respond)](storage::Reader& reader) mutable {
    const bool store = reader.ping().has_value();
    JsonWriter json;
    json.open().key("status").text(store ? "healthy" : "unhealthy");
    json.key("timestamp").number(services_.clock.now().value / 1000);
    json.key("version").text(CATBIRD_VERSION);
    json.key("checks").open();
    json.key("database").text(store ? "healthy" : "unhealthy");
    json.key("memory").text("healthy");
    json.key("actors").open();
    json.key("enabled").boolean(services_.settings.actors);
    json.key("active_actors").number(services_.gateway.active_actors());
    json.key("status").text("healthy").key("healthy").boolean(true);
    json.close().close().close();
    respond(http::Response{.status = store ? 200 : 503, .body = json.take()});
  });
}

http::Response Router::metrics_page(const http::Request& request) {
  const auto& token = services_.settings.metrics_token;
  if (!token.empty() && request.authorization != "Bearer " + token) {
    return plain_error(401, "AuthenticationRequired", "METRICS_TOKEN is needed");
  }
  http::Response response;
  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  response.body = services_.metrics.page();
  return response;
}

http::Response Router::did_document() const {
  const auto& did = services_.settings.service_did;
  constexpr std::string_view web = "did:web:";
  if (!did.starts_with(web)) return plain_error(404, "NotFound", "SERVICE_DID is not a did:web");
  const auto endpoint = services_.settings.public_endpoint.empty()
                            ? "https://" + did.substr(web.size())
                            : services_.settings.public_endpoint;
  JsonWriter json;
  json.open().key("@context").open_list().text("https://www.w3.org/ns/did/v1").close_list();
  json.key("id").text(did);
  json.key("service").open_list().open();
  json.key("id").text("#atproto_mls").key("type").text("AtprotoMlsService");
  json.key("serviceEndpoint").text(endpoint).close().close_list().close();
  return http::Response{.body = json.take()};
}

}  // namespace catbird::xrpc
