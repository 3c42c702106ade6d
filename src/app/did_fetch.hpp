// SPDX-License-Identifier: MIT
#pragma once

#include "auth/service_auth.hpp"
#include "http/fetch.hpp"

#include <chrono>
#include <cstddef>

namespace catbird::app {

struct DidFetchRules {
  bool development = false;
  std::chrono::milliseconds deadline{3'000};
  std::size_t body_bytes_max = 64 * 1024;
};

/// Gives auth/ and social/ their way out to DID documents and what they name, under the address
/// rules of http/ (S7). `fetcher` must outlive every call.
auth::DidFetch did_fetch(http::Fetcher& fetcher, DidFetchRules rules);

}  // namespace catbird::app
