// SPDX-License-Identifier: MIT
#include "http/wire/request_parser.hpp"

#include "http/wire/websocket_frames.hpp"

#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/field.hpp>
#include <boost/beast/http/verb.hpp>

#include <algorithm>
#include <utility>

namespace catbird::http {
namespace {

namespace beast_http = boost::beast::http;

/// simdjson reads this far past the end of a body.
constexpr std::size_t body_spare_bytes = 64;
/// Reserved on the client's word alone; more only as bytes arrive. Small, or thousands of bodies
/// that never come spread over the heap, and each new wave of them touches other pages of it.
constexpr std::size_t body_trust_bytes = std::size_t{4} * 1024;
/// Chunk extensions and trailers of one request together: read and forgotten, so hardly any is room
/// enough (RFC 9112 §7.1.1 wants a limit).
constexpr std::size_t extra_bytes_max = std::size_t{4} * 1024;
constexpr std::string_view header_end = "\r\n\r\n";

std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }

Method method_of(beast_http::verb verb) {
  if (verb == beast_http::verb::get) return Method::get;
  if (verb == beast_http::verb::head) return Method::head;
  if (verb == beast_http::verb::post) return Method::post;
  return Method::other;
}

}  // namespace

RequestParser::RequestParser(const Limits& limits) : limits_(limits) {
  header_limit(static_cast<std::uint32_t>(limits.header_bytes));
  body_limit(limits.body_bytes);
  eager(true);
}

RequestParser::State RequestParser::feed(std::string_view& bytes) {
  while (!is_done()) {
    if (!header_complete_ && !accepts_raw_header(bytes)) return State::failed;
    ErrorCode error;
    std::size_t const used = put(boost::asio::const_buffer(bytes.data(), bytes.size()), error);
    bytes.remove_prefix(used);
    if (!header_complete_) header_consumed_ += used;
    if (error == beast_http::error::need_more || (!error && used == 0)) {
      // Bounds what Beast leaves unread: header lines, or a chunk header that never ends.
      if (bytes.size() < limits_.header_bytes) return State::need_more;
      error = header_complete_ ? beast_http::error::bad_chunk : beast_http::error::header_limit;
    }
    if (error) return explain(error);
    if (bytes.empty() && !is_done()) return State::need_more;
  }
  return State::complete;
}

/// What Beast reads less strictly than we do: the size of the header to the byte, and folded lines,
/// which a server must not pass on as they are (RFC 9112 §5.2) and other parsers see differently.
bool RequestParser::accepts_raw_header(std::string_view bytes) {
  bool const only_end = header_consumed_ > 0 && bytes.starts_with("\r\n");
  auto const end = only_end ? 0 : bytes.find(header_end);
  bool const whole = end != std::string_view::npos;
  std::size_t const arrived = whole ? end + (only_end ? 2 : header_end.size()) : bytes.size();
  if (header_consumed_ + arrived > limits_.header_bytes) {
    failure_ = {431, "InvalidRequest", "request header fields too large"};
    return false;
  }
  if (!whole) return true;
  auto const header = bytes.substr(0, end);
  for (std::string_view fold : {"\r\n ", "\r\n\t"}) {
    if (header.find(fold) == std::string_view::npos) continue;
    failure_ = {400, "InvalidRequest", "folded header line"};
    return false;
  }
  return true;
}

Request RequestParser::take() {
  const bool handshake = request_.method == Method::get && upgrade() && websocket_upgrade_ &&
                         websocket_version_ && request_.body.empty();
  if (handshake && is_websocket_key(websocket_key_)) {
    request_.websocket_key = std::move(websocket_key_);
  }
  request_.body.reserve(request_.body.size() + body_spare_bytes);
  return std::move(request_);
}

void RequestParser::fail_with(Failure failure, ErrorCode& error) {
  failure_ = failure;
  explained_ = true;
  error = beast_http::error::bad_value;
}

RequestParser::State RequestParser::explain(const ErrorCode& error) {
  if (explained_) return State::failed;
  if (error == beast_http::error::header_limit) {
    failure_ = {431, "InvalidRequest", "request header fields too large"};
  } else if (error == beast_http::error::body_limit) {
    failure_ = {413, "PayloadTooLarge", "request body too large"};
  } else if (error == beast_http::error::bad_version) {
    failure_ = {400, "InvalidRequest", "http version not supported"};
  }
  return State::failed;
}

void RequestParser::on_request_impl(beast_http::verb method, View, View target, int version,
                                    ErrorCode& error) {
  request_.method = method_of(method);
  minor_version_ = version % 10;
  set_target(view(target), error);
}

void RequestParser::set_target(std::string_view target, ErrorCode& error) {
  bool origin_form = target.starts_with('/');
  // Absolute form (RFC 9112 §3.2.2): a server must accept it; the authority is ignored.
  for (std::string_view scheme : {"http://", "https://"}) {
    if (!target.starts_with(scheme)) continue;
    auto const path = target.find_first_of("/?", scheme.size());
    target = path == std::string_view::npos ? std::string_view("/") : target.substr(path);
    origin_form = true;
    break;
  }
  bool const visible = std::ranges::all_of(target, [](char c) { return c > 0x20 && c < 0x7F; });
  if (!visible) return fail_with({400, "InvalidRequest", "malformed target"}, error);
  auto const question = target.find('?');
  request_.path = target.substr(0, question);
  if (question != std::string_view::npos) request_.query = target.substr(question + 1);
  if (request_.path.empty()) request_.path = "/";
  bool const asterisk_form = request_.method == Method::other && target == "*";
  if (!origin_form && !asterisk_form) fail_with({400, "InvalidRequest", "malformed target"}, error);
}

void RequestParser::check_host(std::string_view value, ErrorCode& error) {
  // RFC 9112 §3.2: exactly one Host, or two hops may disagree about whom the request is for.
  bool const clean = std::ranges::all_of(value, [](char c) {
    return c > 0x20 && c < 0x7F && std::string_view(",/?#@\\").find(c) == std::string_view::npos;
  });
  if (++hosts_ > 1 || !clean) fail_with({400, "InvalidRequest", "malformed host header"}, error);
}

/// RFC 9112 §6.3 lets a server take one length said twice; then every hop before us must have too.
void RequestParser::check_length(std::string_view value, ErrorCode& error) {
  bool const digits = value.find_first_not_of("0123456789") == std::string_view::npos;
  if (++lengths_ == 1 && digits && !value.empty()) return;
  fail_with({400, "InvalidRequest", "malformed content-length"}, error);
}

void RequestParser::count_extra(std::size_t bytes, ErrorCode& error) {
  extra_bytes_ += bytes;
  if (extra_bytes_ <= extra_bytes_max) return;
  fail_with({400, "InvalidRequest", "chunk extensions or trailers too large"}, error);
}

void RequestParser::on_field_impl(beast_http::field name, View name_text, View value,
                                  ErrorCode& error) {
  using beast_http::field;
  // Trailers (RFC 9110 §6.5.1) must not change who is asking.
  if (header_complete_) return count_extra(name_text.size() + value.size() + 4, error);
  auto const text = view(value);
  switch (name) {
    case field::authorization:
      // Two credentials: refusing beats guessing which one a proxy looked at.
      if (!request_.authorization.empty()) {
        return fail_with({400, "InvalidRequest", "repeated authorization header"}, error);
      }
      request_.authorization = text;
      return;
    case field::content_type:
      request_.content_type = text;
      return;
    case field::upgrade:
      websocket_upgrade_ = boost::beast::iequals(value, "websocket");
      return;
    case field::sec_websocket_key:
      websocket_key_ = text;
      return;
    case field::sec_websocket_version:
      websocket_version_ = text == "13";
      return;
    case field::host:
      return check_host(text, error);
    case field::content_length:
      return check_length(text, error);
    case field::content_encoding:
      // Nothing here unpacks: a small body must not become a large one.
      if (boost::beast::iequals(value, "identity")) return;
      return fail_with({415, "InvalidRequest", "content coding not supported"}, error);
    case field::expect:
      if (!boost::beast::iequals(value, "100-continue")) {
        return fail_with({417, "InvalidRequest", "expectation not supported"}, error);
      }
      wants_continue_ = true;
      return;
    case field::transfer_encoding:
      // Any other coding, or one whose end two parsers could see differently, is smuggling.
      if (minor_version_ == 0 || !boost::beast::iequals(value, "chunked")) {
        return fail_with({400, "InvalidRequest", "transfer coding not supported"}, error);
      }
      return;
    default:
      break;
  }
  if (name != field::unknown || !boost::beast::iequals(name_text, "x-forwarded-for")) return;
  if (!forwarded_for_.empty()) forwarded_for_ += ',';
  forwarded_for_ += text;
}

void RequestParser::on_header_impl(ErrorCode& error) {
  header_complete_ = true;
  if (minor_version_ == 0) wants_continue_ = false;  // RFC 9110 §10.1.1
  if (hosts_ == 0 && minor_version_ == 1) {
    fail_with({400, "InvalidRequest", "host header missing"}, error);
  }
}

void RequestParser::on_body_init_impl(const boost::optional<std::uint64_t>& length, ErrorCode&) {
  std::size_t const claimed = length ? static_cast<std::size_t>(*length) : 0;
  request_.body.reserve(std::min(claimed, body_trust_bytes) + body_spare_bytes);
}

std::size_t RequestParser::on_body_impl(View body, ErrorCode&) {
  request_.body.append(body.data(), body.size());
  return body.size();
}

void RequestParser::on_chunk_header_impl(std::uint64_t, View extensions, ErrorCode& error) {
  count_extra(extensions.size(), error);
}

std::size_t RequestParser::on_chunk_body_impl(std::uint64_t, View body, ErrorCode&) {
  request_.body.append(body.data(), body.size());
  return body.size();
}

}  // namespace catbird::http
