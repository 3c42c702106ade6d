// SPDX-License-Identifier: MIT
#pragma once

#include "base/result.hpp"
#include "base/time.hpp"
#include "xrpc/input.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

// Small texts of requests, held to their limits, and the ids this server makes.

namespace catbird::xrpc {

/// A required text of 1 to `bytes_max` bytes; `refusal` otherwise.
Result<std::string> text_within(const Fields& fields, std::string_view name, std::size_t bytes_max,
                                Errc refusal = Errc::invalid_request);
/// The same where it is there.
Result<std::optional<std::string>> maybe_text_within(const Fields& fields, std::string_view name,
                                                     std::size_t bytes_max);
/// A point in time (lexicon datetime) where it is there.
Result<std::optional<Timestamp>> maybe_time(const Fields& fields, std::string_view name);
/// True for a text that one line can show.
bool printable(std::string_view text);
/// A text that is there and none of `allowed` is invalid_request.
Result<std::optional<std::string>> maybe_one_of(const Fields& fields, std::string_view name,
                                                std::initializer_list<std::string_view> allowed);
/// 64 hexadecimal characters, of either case.
std::optional<Bytes> hash_of_hex(std::string_view text);

/// A random UUID (RFC 9562, version 4), lower case. Made before a job, never inside: jobs may run
/// more than once.
std::string new_id();
/// 256 random bits, as base64url.
std::string new_secret();
/// A UUID as new_id(), in version 7: ids sort by the time they were made at.
std::string new_timed_id(Timestamp now);

}  // namespace catbird::xrpc
