// SPDX-License-Identifier: MIT
#include "fuzz/requests.hpp"

#include "base/check.hpp"
#include "support/mls_writer.hpp"
#include "xrpc/endpoint.hpp"

#include <algorithm>
#include <cstdio>
#include <initializer_list>
#include <utility>

namespace catbird::fuzz {

namespace {

using namespace testing;

constexpr auto known = std::to_array<Method>({{"createConvo", true},
                                              {"addMembers", true},
                                              {"removeMember", true},
                                              {"leaveConvo", true},
                                              {"processExternalCommit", true},
                                              {"updateGroupInfo", true},
                                              {"getGroupInfo", false},
                                              {"getConvos", false},
                                              {"getEpoch", false},
                                              {"getCommits", false},
                                              {"sendMessage", true},
                                              {"getMessages", false},
                                              {"updateCursor", true},
                                              {"getWelcome", false},
                                              {"confirmWelcome", true},
                                              {"publishKeyPackage", true},
                                              {"publishKeyPackages", true},
                                              {"getKeyPackages", false},
                                              {"getKeyPackageStats", false},
                                              {"streamConvoEvents", false},
                                              {"registerDevice", true},
                                              {"listDevices", false},
                                              {"deleteDevice", true},
                                              {"validateDeviceState", false},
                                              {"registerDeviceToken", true},
                                              {"unregisterDeviceToken", true},
                                              {"getPendingDeviceAdditions", false},
                                              {"claimPendingDeviceAddition", true},
                                              {"completePendingDeviceAddition", true},
                                              {"getKeyPackageHistory", false},
                                              {"getKeyPackageStatus", false},
                                              {"syncKeyPackages", true},
                                              {"optIn", true},
                                              {"optOut", true},
                                              {"getOptInStatus", false},
                                              {"validateWelcome", true},
                                              {"invalidateWelcome", true},
                                              {"getExpectedConversations", false},
                                              {"sendChatRequest", true},
                                              {"acceptChatRequest", true},
                                              {"declineChatRequest", true},
                                              {"blockChatSender", true},
                                              {"listChatRequests", false},
                                              {"getRequestCount", false},
                                              {"getChatRequestSettings", false},
                                              {"updateChatRequestSettings", true},
                                              {"promoteAdmin", true},
                                              {"demoteAdmin", true},
                                              {"promoteModerator", true},
                                              {"demoteModerator", true},
                                              {"warnMember", true},
                                              {"updatePolicy", true},
                                              {"reportMember", true},
                                              {"resolveReport", true},
                                              {"getAdminStats", false},
                                              {"checkBlocks", false},
                                              {"getBlockStatus", false},
                                              {"handleBlockChange", true},
                                              {"createInvite", true},
                                              {"revokeInvite", true},
                                              {"groupInfoRefresh", true},
                                              {"readdition", true},
                                              {"rejoin", true},
                                              {"getPolicy", false},
                                              {"getReports", false},
                                              {"listInvites", false},
                                              {"getSubscriptionTicket", true},
                                              {"subscribeConvoEvents", false}});

enum Who : std::size_t { alice, bob, carol, dave, erin };

constexpr std::string_view suite = "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519";
const Bytes group(8, 0xaa);
const std::string convo = R"("convoId":"aaaaaaaaaaaaaaaa")";

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }
std::string member(std::string_view name, const Bytes& bytes) {
  return quoted(name) + ":" + quoted(to_base64(bytes));
}
std::string member(std::string_view name, std::string_view text) {
  return quoted(name) + ":" + quoted(text);
}
std::string object(std::initializer_list<std::string> members) {
  std::string text;
  for (const auto& one : members) text += (text.empty() ? "{" : ",") + one;
  return text + "}";
}

const Signer& signer_of(Who who) {
  static const std::vector<Signer> signers{
      {1, "alice"}, {1, "bob"}, {1, "carol"}, {1, "dave"}, {1, "erin"}};
  return signers[who];
}
MadeKeyPackage package_of(Who who, std::uint64_t serial, bool last_resort = false) {
  return make_key_package(signer_of(who), callers[who],
                          {.last_resort = last_resort, .serial = serial});
}
std::string upload(const MadeKeyPackage& package) {
  return object({member("keyPackage", package.bare), member("cipherSuite", suite),
                 member("expires", "2023-12-24T00:00:00Z")});
}
std::string hidden_commit(std::uint64_t epoch) {
  return member("commit", make_private_message({group, epoch}, mls::ContentType::commit,
                                               Bytes(40, static_cast<std::uint8_t>(epoch))));
}
std::string group_info(std::uint64_t epoch) {
  return member("groupInfo", make_group_info(signer_of(alice), {.at = {group, epoch}}));
}
std::string message(std::uint64_t epoch, std::string_view id) {
  const auto bytes =
      make_private_message({group, epoch}, mls::ContentType::application, Bytes(60, 7));
  return object({convo, member("msgId", id), member("ciphertext", pad(bytes)),
                 "\"epoch\":" + std::to_string(epoch), "\"paddedSize\":512"});
}

std::string key_of(Who who) {
  return R"("signaturePublicKey":{"$bytes":")" + to_base64(signer_of(who).public_key()) + "\"}";
}

std::string registration(Who who, std::uint64_t serial) {
  return object({member("deviceName", "phone"), member("deviceUUID", "u1"), key_of(who),
                 R"("keyPackages":[)" + upload(package_of(who, serial)) + "]"});
}

std::vector<SampleRequest> base_requests() {
  const auto erins = package_of(erin, 0);
  return {
      {"publishKeyPackage", bob, upload(package_of(bob, 0))},
      {"publishKeyPackage", bob, upload(package_of(bob, 1))},
      {"publishKeyPackage", bob, upload(package_of(bob, 2, true))},
      {"publishKeyPackage", erin, upload(erins)},
      {"createConvo", alice,
       object({R"("groupId":"AAAAAAAAAAAAAAAA")", member("cipherSuite", suite),
               R"("initialMembers":["did:web:bob.example","did:web:dave.example"])",
               R"("metadata":{"name":"first"})", member("idempotencyKey", "create")})},
      {"sendMessage", alice, message(0, "01JDB4H5T6Q7W8E9R0T1Y2V3M1")},
      {"sendMessage", bob, message(0, "7b6f8c1e-4a7f-4a0b-9d3c-2f6f6f1b2c3d")},
      {"addMembers", alice, object({convo, R"("didList":[])", hidden_commit(0)})},
      {"getKeyPackages", alice, "dids=did%3Aweb%3Aerin.example&dids=did%3Aweb%3Abob.example"},
      {"addMembers", alice,
       object({convo, R"("didList":["did:web:erin.example"])", hidden_commit(1),
               member("welcomeMessage", make_welcome(1, std::vector<Bytes>{erins.ref}))})},
      {"registerDevice", erin, registration(erin, 7)},  // its credential names the device
      {"leaveConvo", dave, object({convo, hidden_commit(2)})},
      {"updateGroupInfo", alice, object({convo, group_info(3), "\"epoch\":3"})},
      {"sendMessage", alice, message(3, "01JDB4H5T6Q7W8E9R0T1Y2V3M2")},
  };
}

std::vector<SampleRequest> commits() {
  const auto carols = package_of(carol, 1);
  const auto bobs = package_of(bob, 0);  // reserved to alice
  const auto add = make_public_commit(signer_of(alice), {.at = {group, 3}, .adds = {carols.bare}});
  const auto rejoin = make_external_commit(
      signer_of(bob), {.at = {group, 3}, .identity = std::string(callers[bob])});
  return {
      {"addMembers", alice,
       object({convo, R"("didList":["did:web:carol.example"])", member("commit", add),
               member("welcomeMessage", make_welcome(1, std::vector{bobs.ref, carols.ref})),
               R"("keyPackageHashes":[{"did":"did:web:bob.example","hash":")" + to_hex(bobs.ref) +
                   "\"}]",
               group_info(4), member("idempotencyKey", "one")})},
      {"addMembers", alice, object({convo, R"("didList":[])", hidden_commit(3)})},
      {"removeMember", alice,
       object({convo, member("targetDid", callers[erin]), hidden_commit(3),
               member("idempotencyKey", "two")})},
      {"leaveConvo", bob, object({convo, hidden_commit(3)})},
      {"processExternalCommit", bob,
       object({convo, member("externalCommit", rejoin), group_info(4)})},
  };
}

std::vector<SampleRequest> reads() {
  const std::string here = "convoId=aaaaaaaaaaaaaaaa";
  return {
      {"getGroupInfo", bob, here},
      {"getConvos", bob, ""},
      {"getConvos", alice, "limit=1&cursor=YWE"},
      {"getEpoch", alice, here},
      {"getCommits", alice, here + "&fromEpoch=0&toEpoch=3"},
      {"getMessages", bob, here + "&limit=2&sinceSeq=1"},
      {"getMessages", dave, here + "&sinceMessage=01JDB4H5T6Q7W8E9R0T1Y2V3M1"},
      {"getWelcome", erin, here + "&deviceId=desk"},
      {"getKeyPackages", alice,
       "dids=did%3Aweb%3Abob.example%23phone&dids[]=did%3Aweb%3Aerin.example&cipherSuite=" +
           std::string(suite)},
      {"getKeyPackageStats", bob, "did=did%3Aweb%3Abob.example&cipherSuite=" + std::string(suite)},
      {"streamConvoEvents", alice, here + "&cursor=memory-1-0000000000000001"},
      {"streamConvoEvents", erin, "cursor=memory-1-0000000000000000"},
      {"streamConvoEvents", bob, "cursor=memory-2-0000000000000003"},
  };
}

// Methods on plain tables: devices, requests, tickets.
std::vector<SampleRequest> table_requests() {
  const std::string hash(64, 'a');
  const auto welcome = make_welcome(1, std::vector<Bytes>{package_of(bob, 0).ref});
  return {
      {"registerDevice", carol, registration(carol, 6)},
      {"listDevices", erin, ""},
      {"deleteDevice", erin, object({member("deviceId", "desk")})},
      {"validateDeviceState", bob, "deviceId=phone"},
      {"registerDeviceToken", erin,
       object({member("deviceId", "desk"), member("pushToken", "t"), member("platform", "ios")})},
      {"unregisterDeviceToken", erin, object({member("deviceId", "desk")})},
      {"getPendingDeviceAdditions", alice, "convoIds=aaaaaaaaaaaaaaaa&limit=5"},
      {"claimPendingDeviceAddition", alice, object({member("pendingAdditionId", "x")})},
      {"completePendingDeviceAddition", alice,
       object({member("pendingAdditionId", "x"), "\"newEpoch\":4"})},
      {"getKeyPackageHistory", erin, "limit=2&cursor=9"},
      {"getKeyPackageStatus", erin, "limit=2"},
      {"syncKeyPackages", bob,
       object({member("deviceId", "phone"), R"("localHashes":[")" + hash + "\"]"})},
      {"optIn", bob, R"({"deviceId":"phone"})"},
      {"optOut", bob, "{}"},
      {"getOptInStatus", alice, "dids=did%3Aweb%3Abob.example"},
      {"validateWelcome", bob, object({member("welcomeMessage", welcome)})},
      {"invalidateWelcome", erin, object({convo, member("reason", "no key")})},
      {"getExpectedConversations", bob, "deviceId=phone"},
      {"sendChatRequest", carol,
       object({member("recipientDid", callers[bob]), member("previewText", "hello"),
               R"("heldMessages":[{"ciphertext":{"$bytes":")" + to_base64(Bytes(512, 1)) +
                   R"("},"paddedSize":512}])"})},
      {"acceptChatRequest", bob, object({member("requestId", "x")}), false},
      {"declineChatRequest", bob,
       object({member("requestId", "x"), member("reportReason", "spam")}), false},
      {"blockChatSender", bob, object({member("senderDid", callers[carol])})},
      {"listChatRequests", bob, "status=pending&limit=3"},
      {"getRequestCount", bob, ""},
      {"getChatRequestSettings", bob, ""},
      {"updateChatRequestSettings", bob, R"({"autoExpireDays":3,"allowFollowersBypass":false})"},
      {"getSubscriptionTicket", alice, object({convo})},
      {"subscribeConvoEvents", alice, "ticket=x&cursor=memory-1-0000000000000001", false},
  };
}

// Roles, policy, reports, invites, calls for help.
std::vector<SampleRequest> governance_requests() {
  const std::string here = "convoId=aaaaaaaaaaaaaaaa";
  const auto about = [](Who who) { return member("targetDid", callers[who]); };
  return {
      {"promoteModerator", alice, object({convo, about(bob), member("idempotencyKey", "mod")})},
      {"demoteModerator", alice, object({convo, about(bob)}), false},
      {"promoteAdmin", alice, object({convo, about(bob)})},
      {"demoteAdmin", alice, object({convo, about(bob)}), false},
      {"warnMember", alice,
       object({convo, member("memberDid", callers[bob]), member("reason", "rude"),
               member("expiresAt", "2030-01-01T00:00:00Z")})},
      {"updatePolicy", alice,
       object({convo, R"("allowMemberAdd":false,"maxMembers":20,"allowInvites":true)"})},
      {"getPolicy", bob, here},
      {"reportMember", bob,
       object({convo, member("reportedDid", callers[alice]), member("category", "spam"),
               R"("encryptedContent":{"$bytes":"AAAA"},"messageIds":["a","b"])"})},
      {"getReports", alice, here + "&status=pending&limit=3"},
      {"getAdminStats", alice, here + "&since=2026-01-01T00%3A00%3A00Z"},
      {"checkBlocks", bob, "dids=did%3Aweb%3Abob.example&dids=did%3Aweb%3Acarol.example"},
      {"getBlockStatus", alice, here},
      {"handleBlockChange", bob,
       object({member("blockerDid", callers[bob]), member("blockedDid", callers[alice]),
               member("action", "created"), member("blockUri", "at://x/app.bsky.graph.block/1")})},
      {"handleBlockChange", bob,
       object({member("blockerDid", callers[bob]), member("blockedDid", callers[carol]),
               member("action", "removed")})},
      {"resolveReport", alice,
       object({member("reportId", "x"), member("action", "dismissed"), member("notes", "n")}),
       false},
      {"createInvite", alice,
       object({convo, member("pskHash", std::string(64, 'a')), about(carol), "\"maxUses\":3",
               member("expiresAt", "2030-01-01T00:00:00Z")})},
      {"revokeInvite", alice, object({member("inviteId", "x")}), false},
      {"listInvites", alice, here + "&includeRevoked=true"},
      {"groupInfoRefresh", bob, object({convo})},
      {"readdition", dave, object({convo})},
      {"rejoin", bob, object({convo, member("keyPackage", package_of(bob, 9).bare)})},
      {"sendMessage", bob,
       object({convo, member("msgId", "01JDB4H5T6Q7W8E9R0T1Y2V3E1"),
               member("ciphertext", Bytes(512)), member("delivery", "ephemeral"),
               R"("epoch":0,"paddedSize":512)"})},
  };
}

// A method that is not above is one that nobody fuzzes.
void check_methods() {
  for (const auto& endpoint : xrpc::endpoints()) {
    const auto name = endpoint.nsid.substr(endpoint.nsid.rfind('.') + 1);
    const auto found = std::ranges::find(known, name, &Method::name);
    const bool is_known =
        found != known.end() && found->is_post == (endpoint.method == http::Method::post);
    if (!is_known) std::fprintf(stderr, "not in requests.cpp: %s\n", std::string(name).c_str());
    CATBIRD_CHECK(is_known);
  }
  CATBIRD_CHECK(std::size(known) == xrpc::endpoints().size());
}

}  // namespace

std::span<const Method> methods() { return known; }

std::optional<Request> decode_request(ByteView input) {
  if (input.size() < 2) return std::nullopt;
  return Request{.method = &known[input[0] % known.size()],
                 .caller = callers[input[1] % 128 % callers.size()],
                 .actors = input[1] < 128,
                 .text = text_of(input.subspan(2))};
}

http::Response send(Node& node, const Request& request) {
  const auto& method = *request.method;
  if (method.is_post) return node.post(method.name, request.text, request.caller);
  return node.get(std::string(method.name) + "?" + std::string(request.text), request.caller);
}

Bytes SampleRequest::encoded() const {
  const auto found = std::ranges::find(known, method, &Method::name);
  CATBIRD_CHECK(found != known.end());
  Bytes bytes{static_cast<std::uint8_t>(found - known.begin()), static_cast<std::uint8_t>(caller)};
  bytes.insert(bytes.end(), text.begin(), text.end());
  return bytes;
}

void make_base(storage::MemoryDisk& disk) {
  check_methods();
  Node node(disk);
  for (const auto& sample : base_requests()) {
    const auto bytes = sample.encoded();
    CATBIRD_CHECK(send(node, *decode_request(bytes)).status == 200);
  }
  check_store(node);
}

std::vector<SampleRequest> sample_requests() {
  std::vector<SampleRequest> all{
      {"createConvo", alice,
       object({R"("groupId":"bbbbbbbb")", member("cipherSuite", suite),
               R"("initialMembers":["did:web:bob.example#phone"])", R"("currentEpoch":1)",
               member("welcomeMessage",
                      make_welcome(1, std::vector<Bytes>{package_of(bob, 0).ref}))})},
      {"updateGroupInfo", erin, object({convo, group_info(3)})},
      {"sendMessage", erin, message(3, "01JDB4H5T6Q7W8E9R0T1Y2V3M9")},
      {"updateCursor", bob, object({convo, R"("cursor":"3")"})},
      {"updateCursor", erin, object({convo, R"("cursor":"01JDB4H5T6Q7W8E9R0T1Y2V3M2")"})},
      {"confirmWelcome", erin, object({convo, R"("success":true)", R"("deviceId":"desk")"})},
      {"publishKeyPackage", carol, upload(package_of(carol, 5))},
      {"publishKeyPackages", bob,
       R"({"deviceId":"phone","keyPackages":[)" + upload(package_of(bob, 8)) + "," +
           upload(package_of(bob, 9)) + "]}"}};
  for (auto& one : commits()) all.push_back(std::move(one));
  for (auto& one : reads()) all.push_back(std::move(one));
  for (auto& one : table_requests()) all.push_back(std::move(one));
  for (auto& one : governance_requests()) all.push_back(std::move(one));
  return all;
}

}  // namespace catbird::fuzz
