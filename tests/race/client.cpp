// SPDX-License-Identifier: MIT
#include "race/client.hpp"

#include "mls/verify.hpp"
#include "support/mls_writer.hpp"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <chrono>
#include <thread>

namespace catbird::race {

namespace {

constexpr std::uint16_t suite = 1;
constexpr std::string_view suite_name = "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519";
constexpr std::size_t message_bytes = 60;
constexpr std::chrono::milliseconds retry_pause{20};
constexpr std::size_t tries_max =
    3000;  // with the pause a minute: a server that does not come back

std::string quoted_list(const std::vector<std::string>& texts) {
  return texts.empty() ? "[]" : fmt::format("[\"{}\"]", fmt::join(texts, "\",\""));
}

Bytes group_of(const std::string& convo) { return from_hex(convo).value(); }

// One key for all: the server cannot tell whose leaf signed a commit.
const testing::Signer& signer() {
  static const testing::Signer one(suite, "race");
  return one;
}

}  // namespace

std::string sha_of(ByteView bytes) {
  const auto hash = mls::sha256(bytes);
  return to_hex(hash);
}

Client::Client(Run& run, std::string name)
    : run_(run),
      did_(run.did(name)),
      connection_([&run] { return run.port(); }),
      random_(std::hash<std::string>{}(run.options.name + name)) {}

Bytes Client::noise(std::size_t size) {
  Bytes bytes(size);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random_());
  return bytes;
}

std::string Client::fresh_id() {
  constexpr std::string_view alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  std::string id = "01";
  constexpr std::size_t ulid_characters = 26;
  while (id.size() < ulid_characters) id.push_back(alphabet[random_() % alphabet.size()]);
  return id;
}

Prepared Client::message(const std::string& convo, std::uint64_t epoch) {
  const auto frame = testing::pad(
      testing::make_private_message({.group_id = group_of(convo), .epoch = epoch},
                                    mls::ContentType::application, noise(message_bytes)));
  const auto id = fresh_id();
  Prepared out{.op = "send", .method = "sendMessage"};
  out.epoch = epoch;
  out.body = fmt::format(
      R"({{"convoId":"{}","msgId":"{}","epoch":{},"paddedSize":{},"ciphertext":{{"$bytes":"{}"}}}})",
      convo, id, epoch, frame.size(), to_base64(frame));
  out.fields = fmt::format(R"(,"convo":"{}","id":"{}","epoch":{},"sha":"{}")", convo, id, epoch,
                           sha_of(frame));
  return out;
}

Prepared Client::commit(const std::string& convo, std::uint64_t epoch, const Change& change) {
  testing::CommitSpec spec{.at = {.group_id = group_of(convo), .epoch = epoch}};
  spec.identity = did_;
  spec.authenticated_data = noise(16);
  for (const auto& did : change.adds) {
    spec.adds.push_back(testing::make_key_package(signer(), did, {.serial = random_()}).bare);
  }
  if (!change.removes.empty()) spec.removes.push_back(1);
  const auto bytes = testing::make_public_commit(signer(), spec);
  const auto key = fresh_id();
  Prepared out{.op = "commit", .method = change.removes.empty() ? "addMembers" : "removeMember"};
  out.epoch = epoch;
  out.body = fmt::format(R"({{"convoId":"{}","idempotencyKey":"{}","commit":"{}","{}":{})", convo,
                         key, to_base64(bytes), change.removes.empty() ? "didList" : "targetDids",
                         quoted_list(change.removes.empty() ? change.adds : change.removes));
  out.fields =
      fmt::format(R"(,"convo":"{}","key":"{}","base":{},"sha":"{}","adds":{},"removes":{})", convo,
                  key, epoch, sha_of(bytes), quoted_list(change.adds), quoted_list(change.removes));
  if (!change.refs.empty()) {
    const auto welcome = testing::make_welcome(suite, change.refs);
    out.body += fmt::format(R"(,"welcomeMessage":"{}")", to_base64(welcome));
    out.fields += fmt::format(R"(,"welcome":{{"sha":"{}","to":[)", sha_of(welcome));
    for (std::size_t i = 0; i < change.welcomed.size(); ++i) {
      const auto& to = change.welcomed[i];
      out.fields +=
          fmt::format(R"({}["{}","{}","{}"])", i == 0 ? "" : ",", to.user, to.device, to.hash);
    }
    out.fields += "]}";
  }
  out.body += "}";
  return out;
}

Prepared Client::creation(const std::string& convo, const std::vector<std::string>& members) {
  const auto key = fresh_id();
  const auto list = quoted_list(members);
  Prepared out{.op = "create", .method = "createConvo"};
  out.body = fmt::format(
      R"({{"groupId":"{}","cipherSuite":"{}","idempotencyKey":"{}","initialMembers":{}}})", convo,
      suite_name, key, list);
  out.fields = fmt::format(R"(,"convo":"{}","key":"{}","members":{},"epoch":0)", convo, key, list);
  return out;
}

Reply Client::once(const Prepared& prepared) {
  return call({.op = prepared.op,
               .method = prepared.method,
               .fields = prepared.fields,
               .query = {},
               .body = prepared.body});
}

Reply Client::settle(const Prepared& prepared) {
  return settled({.op = prepared.op,
                  .method = prepared.method,
                  .fields = prepared.fields,
                  .query = {},
                  .body = prepared.body});
}

Reply Client::page(const std::string& convo, std::uint64_t since, std::size_t limit) {
  return settled(
      {.op = "page",
       .method = "getMessages",
       .fields = fmt::format(R"(,"convo":"{}","since":{},"limit":{})", convo, since, limit),
       .query = fmt::format("convoId={}&sinceSeq={}&limit={}", convo, since, limit),
       .body = {}});
}

Reply Client::commits(const std::string& convo, std::uint64_t from_epoch) {
  return settled({.op = "commits",
                  .method = "getCommits",
                  .fields = fmt::format(R"(,"convo":"{}","from":{})", convo, from_epoch),
                  .query = fmt::format("convoId={}&fromEpoch={}", convo, from_epoch),
                  .body = {}});
}

Reply Client::epoch(const std::string& convo) {
  return settled({.op = "epoch",
                  .method = "getEpoch",
                  .fields = fmt::format(R"(,"convo":"{}")", convo),
                  .query = "convoId=" + convo,
                  .body = {}});
}

Reply Client::convos() {
  return settled({.op = "convos", .method = "getConvos", .fields = "", .query = "", .body = {}});
}

Reply Client::mark(const std::string& convo, std::uint64_t seq) {
  return settled({.op = "mark",
                  .method = "updateCursor",
                  .fields = fmt::format(R"(,"convo":"{}","seq":{})", convo, seq),
                  .query = {},
                  .body = fmt::format(R"({{"convoId":"{}","cursor":"{}"}})", convo, seq)});
}

Reply Client::claim(const std::vector<std::string>& dids) {
  return settled({.op = "claim",
                  .method = "getKeyPackages",
                  .fields = fmt::format(R"(,"targets":{})", quoted_list(dids)),
                  .query = fmt::format("dids={}", fmt::join(dids, "&dids=")),
                  .body = {}});
}

Reply Client::publish(const std::string& device, const std::vector<Bytes>& packages) {
  std::vector<std::string> hashes;
  std::vector<std::string> items;
  for (const auto& bytes : packages) {
    hashes.push_back(sha_of(bytes));
    items.push_back(
        fmt::format(R"({{"keyPackage":"{}","cipherSuite":"{}"}})", to_base64(bytes), suite_name));
  }
  return settled(
      {.op = "publish",
       .method = "publishKeyPackages",
       .fields = fmt::format(R"(,"device":"{}","hashes":{})", device, quoted_list(hashes)),
       .query = {},
       .body = fmt::format(R"({{"keyPackages":[{}]}})", fmt::join(items, ","))});
}

Reply Client::welcome(const std::string& convo, const std::string& device) {
  return settled({.op = "welcome",
                  .method = "getWelcome",
                  .fields = fmt::format(R"(,"convo":"{}","device":"{}")", convo, device),
                  .query = fmt::format("convoId={}&deviceId={}", convo, device),
                  .body = {}});
}

Reply Client::confirm(const std::string& convo, const std::string& device) {
  return settled(
      {.op = "confirm",
       .method = "confirmWelcome",
       .fields = fmt::format(R"(,"convo":"{}","device":"{}")", convo, device),
       .query = {},
       .body = fmt::format(R"({{"convoId":"{}","deviceId":"{}","success":true}})", convo, device)});
}

std::vector<SeenRow> Client::all_rows(const std::string& convo, std::uint64_t since) {
  constexpr std::size_t limit = 100;
  std::vector<SeenRow> rows;
  for (;;) {
    auto got = known(page(convo, rows.empty() ? since : rows.back().seq, limit)).rows;
    const bool last = got.size() < limit;
    for (auto& row : got) rows.push_back(std::move(row));
    if (last) return rows;
  }
}

const Reply& Client::known(const Reply& reply) {
  expect(reply.ok(), "a read was refused: " + reply.text());
  return reply;
}

Reply Client::settled(const Request& request) {
  for (std::size_t tries = 1;; ++tries) {
    auto reply = call(request);
    if (!reply.unknown()) return reply;
    expect(reply.status == 0 || reply.status == 503, "answered " + reply.text());
    expect(tries < tries_max, "no answer to " + request.method + ": " + reply.text());
    std::this_thread::sleep_for(retry_pause);
  }
}

Reply Client::call(const Request& request) {
  const bool get = request.body.empty();
  auto head = fmt::format(
      "{} /xrpc/blue.catbird.mls.{}{}{} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n",
      get ? "GET" : "POST", request.method, request.query.empty() ? "" : "?", request.query,
      run_.token(did_, request.method));
  if (!get) {
    head += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n",
                        request.body.size());
  }
  head += "\r\n";
  head += request.body;

  const auto n = run_.log.begin(request.op, did_, request.fields);
  const auto answer = connection_.exchange(head);
  Reply reply;
  if (!answer) {
    run_.log.end(n, "unknown", R"(,"why":"connection")");
    return reply;
  }
  reply.status = answer->status;
  simdjson::dom::element body;
  expect(parser_.parse(answer->body).get(body) == simdjson::SUCCESS,
         request.method + " answered no JSON: " + answer->body);
  const auto fields = read_answer(request.op, body, reply);
  run_.log.end(n, reply.ok() ? "ok" : (reply.unknown() ? "unknown" : "fail"), fields);
  return reply;
}

}  // namespace catbird::race
