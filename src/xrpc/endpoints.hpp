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
Task<http::Response> handle_register_device(Call call);
Task<http::Response> handle_list_devices(Call call);
Task<http::Response> handle_delete_device(Call call);
Task<http::Response> handle_validate_device_state(Call call);
Task<http::Response> handle_register_device_token(Call call);
Task<http::Response> handle_unregister_device_token(Call call);
Task<http::Response> handle_get_pending_device_additions(Call call);
Task<http::Response> handle_claim_pending_device_addition(Call call);
Task<http::Response> handle_complete_pending_device_addition(Call call);
Task<http::Response> handle_get_key_package_history(Call call);
Task<http::Response> handle_get_key_package_status(Call call);
Task<http::Response> handle_sync_key_packages(Call call);
Task<http::Response> handle_opt_in(Call call);
Task<http::Response> handle_opt_out(Call call);
Task<http::Response> handle_get_opt_in_status(Call call);
Task<http::Response> handle_validate_welcome(Call call);
Task<http::Response> handle_invalidate_welcome(Call call);
Task<http::Response> handle_get_expected_conversations(Call call);
Task<http::Response> handle_send_chat_request(Call call);
Task<http::Response> handle_accept_chat_request(Call call);
Task<http::Response> handle_decline_chat_request(Call call);
Task<http::Response> handle_block_chat_sender(Call call);
Task<http::Response> handle_list_chat_requests(Call call);
Task<http::Response> handle_get_request_count(Call call);
Task<http::Response> handle_get_chat_request_settings(Call call);
Task<http::Response> handle_update_chat_request_settings(Call call);
Task<http::Response> handle_promote_admin(Call call);
Task<http::Response> handle_demote_admin(Call call);
Task<http::Response> handle_promote_moderator(Call call);
Task<http::Response> handle_demote_moderator(Call call);
Task<http::Response> handle_warn_member(Call call);
Task<http::Response> handle_get_policy(Call call);
Task<http::Response> handle_update_policy(Call call);
Task<http::Response> handle_report_member(Call call);
Task<http::Response> handle_get_reports(Call call);
Task<http::Response> handle_get_admin_stats(Call call);
Task<http::Response> handle_check_blocks(Call call);
Task<http::Response> handle_get_block_status(Call call);
Task<http::Response> handle_handle_block_change(Call call);
Task<http::Response> handle_resolve_report(Call call);
Task<http::Response> handle_create_invite(Call call);
Task<http::Response> handle_revoke_invite(Call call);
Task<http::Response> handle_list_invites(Call call);
Task<http::Response> handle_group_info_refresh(Call call);
Task<http::Response> handle_readdition(Call call);
Task<http::Response> handle_rejoin(Call call);
Task<http::Response> handle_get_subscription_ticket(Call call);
Task<http::Response> handle_subscribe_convo_events(Call call);
Task<http::Response> handle_stream_convo_events(Call call);

}  // namespace catbird::xrpc
