// SPDX-License-Identifier: MIT
#include "http/wire/response_head.hpp"

#include <boost/beast/http/status.hpp>

#include <algorithm>
#include <charconv>

namespace catbird::http {
namespace {

void append_number(std::string& out, std::size_t value, int base = 10) {
  char digits[20];
  auto end = std::to_chars(digits, digits + sizeof digits, value, base).ptr;
  out.append(digits, end);
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  auto breaks_line = [](char c) { return c == '\r' || c == '\n' || c == '\0'; };
  if (name.empty() || std::ranges::any_of(name, breaks_line) ||
      std::ranges::any_of(value, breaks_line)) {
    return;
  }
  out += name;
  out += ": ";
  out += value;
  out += "\r\n";
}

/// RFC 9110 §8.6: these never carry a Content-Length.
bool is_bodiless(int status) { return status < 200 || status == 204; }

}  // namespace

std::string_view DateText::at(std::time_t now) {
  if (now == second_) return text_;
  second_ = now;
  tm parts{};
  ::gmtime_r(&now, &parts);
  char buffer[40];
  // IMF-fixdate; the names are English only because the server never calls setlocale.
  std::size_t const length =
      std::strftime(buffer, sizeof buffer, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  text_.assign(buffer, length);
  return text_;
}

void append_head(std::string& out, const Response& response, Framing framing, bool keep_alive,
                 std::string_view date) {
  out += "HTTP/1.1 ";
  append_number(out, static_cast<std::size_t>(response.status));
  out += ' ';
  auto const reason = boost::beast::http::obsolete_reason(
      boost::beast::http::int_to_status(static_cast<unsigned>(response.status)));
  out.append(reason.data(), reason.size());
  out += "\r\ndate: ";
  out += date;
  out += "\r\n";
  if (!response.content_type.empty() && !is_bodiless(response.status))
    append_field(out, "content-type", response.content_type);
  if (framing == Framing::chunked) {
    out += "transfer-encoding: chunked\r\n";
  } else if (framing == Framing::length && !is_bodiless(response.status)) {
    out += "content-length: ";
    append_number(out, response.body.size());
    out += "\r\n";
  }
  if (!keep_alive) out += "connection: close\r\n";
  for (const auto& [name, value] : response.headers) append_field(out, name, value);
  out += "\r\n";
}

void append_chunk(std::string& out, std::string_view bytes) {
  if (bytes.empty()) return;
  append_number(out, bytes.size(), 16);
  out += "\r\n";
  out += bytes;
  out += "\r\n";
}

Response transport_error(int status, std::string_view error, std::string_view message) {
  Response response;
  response.status = status;
  response.body.append(R"({"error":")").append(error).append(R"(","message":")");
  response.body.append(message).append(R"("})");
  return response;
}

}  // namespace catbird::http
