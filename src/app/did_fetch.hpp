// SPDX-License-Identifier: MIT
#pragma once

#include "auth/service_auth.hpp"
#include "http/fetch.hpp"

#include <chrono>

namespace catbird::app {

struct DidFetchRules {
  bool development = false;
  std::chrono::milliseconds deadline{3'000};
};

/// Gives auth/ its way out to DID documents, under the address rules of http/ (S7).
/// `fetcher` must outlive every call.
auth::DidFetch did_fetch(http::Fetcher& fetcher, DidFetchRules rules);

}  // namespace catbird::app
