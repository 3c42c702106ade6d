// SPDX-License-Identifier: MIT
#include "race/answer.hpp"

#include "base/bytes.hpp"
#include "mls/verify.hpp"
#include "race/history_log.hpp"

#include <fmt/core.h>

namespace catbird::race {

namespace {

using Json = simdjson::dom::element;

std::uint64_t number(Json object, const char* key) {
  std::uint64_t value = 0;
  expect(object[key].get(value) == simdjson::SUCCESS, std::string("the answer has no ") + key);
  return value;
}

std::string text(Json object, const char* key) {
  std::string_view value;
  return object[key].get(value) == simdjson::SUCCESS ? std::string(value) : std::string();
}

std::string sha_of_base64(std::string_view coded) {
  const auto hash = mls::sha256(from_base64(coded).value());
  return to_hex(hash);
}

void append(std::string& list, const std::string& item) {
  if (list.back() != '[') list.push_back(',');
  list += item;
}

std::string read_rows(Json body, bool commits, Reply& reply) {
  std::string out = ",\"rows\":[";
  for (const auto one : body[commits ? "commits" : "messages"].get_array()) {
    std::string_view coded;
    expect(one[commits ? "commitData" : "ciphertext"]["$bytes"].get(coded) == simdjson::SUCCESS,
           "a row without bytes");
    SeenRow row{.seq = number(one, "seq"),
                .id = text(one, "id"),
                .epoch = number(one, "epoch"),
                .kind = commits ? "commit" : text(one, "messageType"),
                .sha = sha_of_base64(coded)};
    append(out,
           fmt::format(R"([{},"{}",{},"{}","{}"])", row.seq, row.id, row.epoch, row.kind, row.sha));
    reply.rows.push_back(std::move(row));
  }
  return out + "]";
}

std::string read_convos(Json body, Reply& reply) {
  std::string out = ",\"convos\":[";
  for (const auto one : body["conversations"].get_array()) {
    SeenConvo convo{
        .id = text(one, "id"), .epoch = number(one, "epoch"), .unread = number(one, "unreadCount")};
    append(out, fmt::format(R"(["{}",{},{}])", convo.id, convo.epoch, convo.unread));
    reply.convos.push_back(std::move(convo));
  }
  return out + "]";
}

std::string read_packages(Json body, Reply& reply) {
  std::string out = ",\"got\":[";
  for (const auto one : body["keyPackages"].get_array()) {
    SeenPackage package{.user = text(one, "did"),
                        .device = text(one, "deviceId"),
                        .hash = text(one, "keyPackageHash"),
                        .last_resort = one["lastResort"].error() == simdjson::SUCCESS};
    expect(sha_of_base64(text(one, "keyPackage")) == package.hash,
           "a key package's hash is not that of its bytes");
    append(out, fmt::format(R"(["{}","{}","{}",{}])", package.user, package.device, package.hash,
                            package.last_resort));
    reply.packages.push_back(std::move(package));
  }
  for (const auto one : body["missing"].get_array()) {
    reply.missing.emplace_back(std::string_view(one));
  }
  return out + "]";
}

std::string read_epoch(Json body, const char* name, Reply& reply) {
  reply.epoch = number(body, name);
  return fmt::format(R"(,"epoch":{})", reply.epoch);
}

std::string read_refusal(Json body, Reply& reply) {
  reply.error = text(body, "error");
  auto out = fmt::format(R"(,"status":{},"error":"{}")", reply.status, reply.error);
  std::uint64_t epoch = 0;
  if (body["serverEpoch"].get(epoch) != simdjson::SUCCESS) return out;
  reply.server_epoch = epoch;
  return out + fmt::format(R"(,"serverEpoch":{})", epoch);
}

}  // namespace

std::string read_answer(std::string_view op, Json body, Reply& reply) {
  if (!reply.ok()) return read_refusal(body, reply);
  if (op == "send") {
    reply.seq = number(body, "seq");
    return fmt::format(R"(,"seq":{})", reply.seq) + read_epoch(body, "epoch", reply);
  }
  if (op == "commit") return read_epoch(body, "newEpoch", reply);
  if (op == "epoch") return read_epoch(body, "currentEpoch", reply);
  if (op == "create") return read_epoch(body, "epoch", reply);
  if (op == "welcome") {
    return fmt::format(R"(,"sha":"{}")", sha_of_base64(text(body, "welcome"))) +
           read_epoch(body, "epoch", reply);
  }
  if (op == "page" || op == "commits") return read_rows(body, op == "commits", reply);
  if (op == "convos") return read_convos(body, reply);
  if (op == "claim") return read_packages(body, reply);
  if (op == "publish") expect(number(body, "failed") == 0, "a key package was refused");
  return {};
}

}  // namespace catbird::race
