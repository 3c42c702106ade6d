// SPDX-License-Identifier: MIT
#pragma once

#include "http/message.hpp"

#include <ctime>
#include <string>
#include <string_view>

namespace catbird::http {

/// How the message body is delimited (RFC 9112 §6).
enum class Framing { length, chunked, until_close };

/// The Date header's value, formatted once a second. One per thread.
class DateText {
 public:
  std::string_view at(std::time_t now);

 private:
  std::time_t second_ = -1;
  std::string text_;
};

/// Appends the status line and every header of `response`, with the empty line. Header names or
/// values that could break the framing are left out: they could only come from our own bug.
void append_head(std::string& out, const Response& response, Framing framing, bool keep_alive,
                 std::string_view date);

/// One chunk of chunked coding; an empty chunk would end the body, so it appends nothing.
void append_chunk(std::string& out, std::string_view bytes);
inline constexpr std::string_view last_chunk = "0\r\n\r\n";

/// What the transport itself answers, e.g. 400, 408, 413, 503: JSON {error, message}.
Response transport_error(int status, std::string_view error, std::string_view message);

}  // namespace catbird::http
