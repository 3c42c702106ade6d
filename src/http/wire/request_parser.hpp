// SPDX-License-Identifier: MIT
#pragma once

#include "http/message.hpp"

#include <boost/beast/http/basic_parser.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace catbird::http {

/// Reads one HTTP/1.1 request from bytes: Beast's grammar, but only the fields the server needs
/// are kept, so that a request costs no allocation per header. No sockets, no clock.
class RequestParser final : public boost::beast::http::basic_parser<true> {
 public:
  struct Limits {
    std::size_t header_bytes = 0;
    std::size_t body_bytes = 0;
  };
  enum class State { need_more, complete, failed };
  /// Why a request failed: the answer it gets. The connection cannot be used after it.
  struct Failure {
    int status = 400;
    const char* error = "InvalidRequest";
    const char* message = "malformed request";
  };

  explicit RequestParser(const Limits& limits);

  /// Consumes from the front of `bytes`; what is left belongs to the next request, or must be
  /// given again with more behind it.
  State feed(std::string_view& bytes);

  const Failure& failure() const { return failure_; }
  /// Valid once complete; the body has 64 spare bytes of capacity.
  Request take();
  std::size_t body_bytes() const { return request_.body.size(); }
  bool header_complete() const { return header_complete_; }
  bool wants_continue() const { return wants_continue_; }
  bool is_head() const { return request_.method == Method::head; }
  /// HTTP/1.0 clients know no chunks.
  bool knows_chunks() const { return minor_version_ == 1; }
  std::string_view forwarded_for() const { return forwarded_for_; }

 private:
  using ErrorCode = boost::beast::error_code;
  using View = boost::beast::string_view;

  void on_request_impl(boost::beast::http::verb method, View method_text, View target, int version,
                       ErrorCode& error) override;
  void on_response_impl(int, View, int, ErrorCode&) override {}
  void on_field_impl(boost::beast::http::field name, View name_text, View value,
                     ErrorCode& error) override;
  void on_header_impl(ErrorCode& error) override;
  void on_body_init_impl(const boost::optional<std::uint64_t>& length, ErrorCode& error) override;
  std::size_t on_body_impl(View body, ErrorCode& error) override;
  void on_chunk_header_impl(std::uint64_t size, View extensions, ErrorCode& error) override;
  std::size_t on_chunk_body_impl(std::uint64_t remain, View body, ErrorCode& error) override;
  void on_finish_impl(ErrorCode&) override {}

  bool accepts_raw_header(std::string_view bytes);
  void count_extra(std::size_t bytes, ErrorCode& error);
  void set_target(std::string_view target, ErrorCode& error);
  void check_host(std::string_view value, ErrorCode& error);
  void check_length(std::string_view value, ErrorCode& error);
  void fail_with(Failure failure, ErrorCode& error);
  State explain(const ErrorCode& error);

  Limits limits_;
  Request request_;
  Failure failure_;
  std::string forwarded_for_;
  std::string websocket_key_;
  bool websocket_upgrade_ = false;
  bool websocket_version_ = false;
  int minor_version_ = 1;
  int hosts_ = 0;
  int lengths_ = 0;
  std::size_t header_consumed_ = 0;  // of the header, by earlier calls of feed
  std::size_t extra_bytes_ = 0;      // chunk extensions and trailers
  bool header_complete_ = false;
  bool wants_continue_ = false;
  bool explained_ = false;  // failure_ was set by us, not derived from Beast's code
};

}  // namespace catbird::http
