// SPDX-License-Identifier: MIT
#pragma once

#include "fuzz/node.hpp"

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// One request in bytes: the method's number, the caller's number (from 128 on without the actor
// system), then the body of a POST or the query of a GET. And a store in which one conversation has
// seen most of what can happen.

namespace catbird::fuzz {

struct Method {
  std::string_view name;
  bool is_post = false;
};
/// Every method of the API. Only ever appended to: the kept corpus names them by number.
std::span<const Method> methods();

inline constexpr std::array<std::string_view, 6> callers{
    "did:web:alice.example",              // admin
    "did:web:bob.example#phone",          // member, with key packages
    "did:web:carol.example",              // stranger
    "did:web:dave.example",               // has left
    "did:web:erin.example#desk",          // member, a Welcome is waiting
    "did:plc:abcdefghijklmnopqrstuvwx"};  // nobody

struct Request {
  const Method* method = nullptr;
  std::string_view caller;
  bool actors = true;
  std::string_view text;
};
/// Nothing for less than two octets.
std::optional<Request> decode_request(ByteView input);
http::Response send(Node& node, const Request& request);

struct SampleRequest {
  std::string_view method;
  std::size_t caller = 0;  // of callers
  std::string text;
  bool accepted = true;  // by the base state; the ids of some things are random
  Bytes encoded() const;
};
/// Fills an empty store with the base state. Aborts if a request on the way is refused.
void make_base(storage::MemoryDisk& disk);
/// At least one for each method.
std::vector<SampleRequest> sample_requests();

}  // namespace catbird::fuzz
