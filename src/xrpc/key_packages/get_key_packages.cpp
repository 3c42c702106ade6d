// SPDX-License-Identifier: MIT
#include "core/limits.hpp"
#include "mls/verify.hpp"
#include "xrpc/ask.hpp"
#include "xrpc/endpoints.hpp"
#include "xrpc/error_table.hpp"
#include "xrpc/key_packages/claim.hpp"
#include "xrpc/key_packages/low_stock.hpp"
#include "xrpc/shapes.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace catbird::xrpc {

namespace {

constexpr std::string_view default_suite = "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519";

struct Input {
  std::vector<Address> targets;
  std::uint16_t suite = 0;
};

Result<Input> parse(const Query& query) {
  const auto texts = query.list("dids");
  if (texts.empty()) return fail(Errc::invalid_request, "parameter dids is missing");
  if (texts.size() > core::claim_dids_max) return fail(Errc::too_many_dids);
  Input input;
  for (const auto& text : texts) {
    auto target = address(text);
    if (!target) return std::unexpected(target.error());
    // Named twice is asked once: one package for each device.
    const auto same = [&](const Address& known) {
      return known.user == target->user && known.device == target->device;
    };
    if (std::ranges::none_of(input.targets, same)) input.targets.push_back(std::move(*target));
  }
  const auto name = query.text("cipherSuite").value_or(std::string(default_suite));
  const auto* suite = mls::suite_by_name(name);
  if (suite == nullptr) return fail(Errc::invalid_cipher_suite);
  input.suite = suite->id;
  return input;
}

using Packages = std::vector<storage::ReservedKeyPackage>;

}  // namespace

// A GET that reserves, by contract of v1 (DECISIONS 6): the same caller asking again within five
// minutes gets the same packages, so a client's retry uses up nothing.
Task<http::Response> handle_get_key_packages(Call call) {
  auto query = Query::parse(call.request.query);
  if (!query) co_return error_response(query.error());
  auto input = parse(*query);
  if (!input) co_return error_response(input.error());

  auto writing =
      write<Packages>(call.services,
                      [asked = *input, caller = call.caller.user, now = call.services->clock.now()](
                          storage::UserWriter& writer) -> Result<Packages> {
                        Packages all;
                        for (const auto& target : asked.targets) {
                          auto some = claim_packages(writer, {.caller = caller,
                                                              .target = target.user,
                                                              .device = target.device,
                                                              .suite = asked.suite,
                                                              .now = now});
                          if (!some) return std::unexpected(some.error());
                          for (auto& one : *some) all.push_back(std::move(one));
                        }
                        return all;
                      });
  auto packages = co_await writing;
  if (!packages) co_return error_response(packages.error());
  auto telling = tell_low_stock(call.services, &*packages);
  co_await telling;  // a hint that is lost changes nothing: they are reserved

  JsonWriter json;
  json.open().key("keyPackages").open_list();
  for (const auto& package : *packages) {
    json.open();
    json.key("did").text(package.user.value);
    if (!package.device.value.empty()) json.key("deviceId").text(package.device.value);
    json.key("keyPackage").base64(package.bytes);
    json.key("keyPackageHash").text(to_hex(package.hash));
    json.key("cipherSuite").text(suite_name(package.suite));
    if (package.last_resort) json.key("lastResort").boolean(true);
    json.close();
  }
  json.close_list();
  json.key("missing").open_list();
  std::vector<core::Did> named;
  for (const auto& target : input->targets) {
    const bool served = std::ranges::any_of(*packages, [&](const auto& package) {
      return package.user == target.user && (!target.device || package.device == *target.device);
    });
    if (served || std::ranges::find(named, target.user) != named.end()) continue;
    json.text(target.user.value);
    named.push_back(target.user);
  }
  json.close_list().close();
  co_return json_response(std::move(json));
}

}  // namespace catbird::xrpc
