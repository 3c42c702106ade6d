// SPDX-License-Identifier: MIT
#include "app/did_fetch.hpp"

#include <utility>

namespace catbird::app {

auth::DidFetch did_fetch(http::Fetcher& fetcher, DidFetchRules rules) {
  return [&fetcher, rules](std::string url, bool operator_url, auto done) {
    http::FetchRequest request;
    request.url = std::move(url);
    request.reach = http::Reach::public_only;
    if (rules.development) request.reach = http::Reach::development;
    if (operator_url) request.reach = http::Reach::operator_url;
    request.accept = "application/did+ld+json, application/json";
    request.deadline = rules.deadline;
    request.body_bytes_max = rules.body_bytes_max;
    fetcher.get(std::move(request),
                [done = std::move(done)](Result<http::FetchReply> reply) mutable {
                  if (!reply) {
                    done(std::unexpected(reply.error()));
                    return;
                  }
                  done(auth::DidFetchReply{reply->status, std::move(reply->body)});
                });
  };
}

}  // namespace catbird::app
