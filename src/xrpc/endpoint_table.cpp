// SPDX-License-Identifier: MIT
#include "xrpc/endpoints.hpp"

#include <array>

namespace catbird::xrpc {

namespace {

using enum http::Method;

// clang-format off
constexpr auto table = std::to_array<Endpoint>({
    {"blue.catbird.mls.createConvo", post, RateClass::create_convo, handle_create_convo},
    {"blue.catbird.mls.addMembers", post, RateClass::add_members, handle_add_members},
    {"blue.catbird.mls.removeMember", post, RateClass::other, handle_remove_member},
    {"blue.catbird.mls.leaveConvo", post, RateClass::other, handle_leave_convo},
    {"blue.catbird.mls.processExternalCommit", post, RateClass::other, handle_process_external_commit},
    {"blue.catbird.mls.updateGroupInfo", post, RateClass::other, handle_update_group_info},
    {"blue.catbird.mls.getGroupInfo", get, RateClass::other, handle_get_group_info},
    {"blue.catbird.mls.getConvos", get, RateClass::other, handle_get_convos},
    {"blue.catbird.mls.getEpoch", get, RateClass::other, handle_get_epoch},
    {"blue.catbird.mls.getCommits", get, RateClass::get_messages, handle_get_commits},
    {"blue.catbird.mls.sendMessage", post, RateClass::send_message, handle_send_message},
    {"blue.catbird.mls.getMessages", get, RateClass::get_messages, handle_get_messages},
    {"blue.catbird.mls.updateCursor", post, RateClass::read_state, handle_update_cursor},
    {"blue.catbird.mls.getWelcome", get, RateClass::other, handle_get_welcome},
    {"blue.catbird.mls.confirmWelcome", post, RateClass::other, handle_confirm_welcome},
    {"blue.catbird.mls.publishKeyPackage", post, RateClass::publish_key_package, handle_publish_key_package},
    {"blue.catbird.mls.publishKeyPackages", post, RateClass::publish_key_package, handle_publish_key_packages},
    {"blue.catbird.mls.getKeyPackages", get, RateClass::claim_key_package, handle_get_key_packages},
    {"blue.catbird.mls.getKeyPackageStats", get, RateClass::other, handle_get_key_package_stats},
    {"blue.catbird.mls.registerDevice", post, RateClass::register_device, handle_register_device},
    {"blue.catbird.mls.listDevices", get, RateClass::other, handle_list_devices},
    {"blue.catbird.mls.deleteDevice", post, RateClass::other, handle_delete_device},
    {"blue.catbird.mls.validateDeviceState", get, RateClass::other, handle_validate_device_state},
    {"blue.catbird.mls.registerDeviceToken", post, RateClass::register_device, handle_register_device_token},
    {"blue.catbird.mls.unregisterDeviceToken", post, RateClass::register_device, handle_unregister_device_token},
    {"blue.catbird.mls.getPendingDeviceAdditions", get, RateClass::other, handle_get_pending_device_additions},
    {"blue.catbird.mls.claimPendingDeviceAddition", post, RateClass::other, handle_claim_pending_device_addition},
    {"blue.catbird.mls.completePendingDeviceAddition", post, RateClass::other, handle_complete_pending_device_addition},
    {"blue.catbird.mls.getKeyPackageHistory", get, RateClass::other, handle_get_key_package_history},
    {"blue.catbird.mls.getKeyPackageStatus", get, RateClass::other, handle_get_key_package_status},
    {"blue.catbird.mls.syncKeyPackages", post, RateClass::sync_key_packages, handle_sync_key_packages},
    {"blue.catbird.mls.optIn", post, RateClass::other, handle_opt_in},
    {"blue.catbird.mls.optOut", post, RateClass::other, handle_opt_out},
    {"blue.catbird.mls.getOptInStatus", get, RateClass::other, handle_get_opt_in_status},
    {"blue.catbird.mls.validateWelcome", post, RateClass::other, handle_validate_welcome},
    {"blue.catbird.mls.invalidateWelcome", post, RateClass::other, handle_invalidate_welcome},
    {"blue.catbird.mls.getExpectedConversations", get, RateClass::other, handle_get_expected_conversations},
    {"blue.catbird.mls.sendChatRequest", post, RateClass::other, handle_send_chat_request},
    {"blue.catbird.mls.acceptChatRequest", post, RateClass::other, handle_accept_chat_request},
    {"blue.catbird.mls.declineChatRequest", post, RateClass::other, handle_decline_chat_request},
    {"blue.catbird.mls.blockChatSender", post, RateClass::other, handle_block_chat_sender},
    {"blue.catbird.mls.listChatRequests", get, RateClass::other, handle_list_chat_requests},
    {"blue.catbird.mls.getRequestCount", get, RateClass::other, handle_get_request_count},
    {"blue.catbird.mls.getChatRequestSettings", get, RateClass::other, handle_get_chat_request_settings},
    {"blue.catbird.mls.updateChatRequestSettings", post, RateClass::other, handle_update_chat_request_settings},
    {"blue.catbird.mls.promoteAdmin", post, RateClass::other, handle_promote_admin},
    {"blue.catbird.mls.demoteAdmin", post, RateClass::other, handle_demote_admin},
    {"blue.catbird.mls.promoteModerator", post, RateClass::other, handle_promote_moderator},
    {"blue.catbird.mls.demoteModerator", post, RateClass::other, handle_demote_moderator},
    {"blue.catbird.mls.warnMember", post, RateClass::other, handle_warn_member},
    {"blue.catbird.mls.getPolicy", get, RateClass::other, handle_get_policy},
    {"blue.catbird.mls.updatePolicy", post, RateClass::other, handle_update_policy},
    {"blue.catbird.mls.reportMember", post, RateClass::report_member, handle_report_member},
    {"blue.catbird.mls.getReports", get, RateClass::other, handle_get_reports},
    {"blue.catbird.mls.resolveReport", post, RateClass::other, handle_resolve_report},
    {"blue.catbird.mls.getAdminStats", get, RateClass::other, handle_get_admin_stats},
    {"blue.catbird.mls.checkBlocks", get, RateClass::check_blocks, handle_check_blocks},
    {"blue.catbird.mls.getBlockStatus", get, RateClass::check_blocks, handle_get_block_status},
    {"blue.catbird.mls.handleBlockChange", post, RateClass::check_blocks,
     handle_handle_block_change},
    {"blue.catbird.mls.createInvite", post, RateClass::other, handle_create_invite},
    {"blue.catbird.mls.revokeInvite", post, RateClass::other, handle_revoke_invite},
    {"blue.catbird.mls.listInvites", get, RateClass::other, handle_list_invites},
    {"blue.catbird.mls.groupInfoRefresh", post, RateClass::other, handle_group_info_refresh},
    {"blue.catbird.mls.readdition", post, RateClass::other, handle_readdition},
    {"blue.catbird.mls.rejoin", post, RateClass::other, handle_rejoin},
    {"blue.catbird.mls.getSubscriptionTicket", post, RateClass::other, handle_get_subscription_ticket},
    {"blue.catbird.mls.subscribeConvoEvents", get, RateClass::other, handle_subscribe_convo_events, true},
    {"blue.catbird.mls.streamConvoEvents", get, RateClass::other, handle_stream_convo_events},
});
// clang-format on

}  // namespace

std::span<const Endpoint> endpoints() { return table; }

const Endpoint* find_endpoint(std::string_view nsid) {
  for (const auto& endpoint : table) {
    if (endpoint.nsid == nsid) return &endpoint;
  }
  return nullptr;
}

}  // namespace catbird::xrpc
