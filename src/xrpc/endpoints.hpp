// SPDX-License-Identifier: MIT
#pragma once

#include "xrpc/endpoint.hpp"

// The handlers behind the endpoint table, one file each.

namespace catbird::xrpc {

Task<http::Response> handle_create_convo(Call call);
Task<http::Response> handle_add_members(Call call);
Task<http::Response> handle_remove_member(Call call);
Task<http::Response> handle_leave_convo(Call call);
Task<http::Response> handle_process_external_commit(Call call);
Task<http::Response> handle_update_group_info(Call call);
Task<http::Response> handle_get_group_info(Call call);
Task<http::Response> handle_get_convos(Call call);
Task<http::Response> handle_get_epoch(Call call);
Task<http::Response> handle_get_commits(Call call);
Task<http::Response> handle_send_message(Call call);
Task<http::Response> handle_get_messages(Call call);
Task<http::Response> handle_update_cursor(Call call);
Task<http::Response> handle_get_welcome(Call call);
Task<http::Response> handle_confirm_welcome(Call call);
Task<http::Response> handle_publish_key_package(Call call);
Task<http::Response> handle_publish_key_packages(Call call);
Task<http::Response> handle_get_key_packages(Call call);
Task<http::Response> handle_get_key_package_stats(Call call);
Task<http::Response> handle_stream_convo_events(Call call);

}  // namespace catbird::xrpc
