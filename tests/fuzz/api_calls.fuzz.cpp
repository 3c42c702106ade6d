// SPDX-License-Identifier: MIT
// Bytes as a sequence of API calls of four users in two conversations, with faults of the store,
// restarts and time between them, and all that must hold of any state asserted on the way.
#include "base/check.hpp"
#include "fuzz/requests.hpp"
#include "storage/memory/data.hpp"
#include "support/mls_writer.hpp"

#include <simdjson.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>

using namespace catbird;
using namespace catbird::fuzz;
using namespace catbird::testing;

namespace {

namespace dom = simdjson::dom;

constexpr std::size_t calls_max = 48;
constexpr std::size_t check_every = 8;  // calls: it costs more than they do
constexpr std::size_t users = 4;        // of callers; the last is a member of nothing at first
constexpr std::size_t packages_per_user = 6;
constexpr std::string_view suite = "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519";

std::string text_member(std::string_view name, std::string_view value) {
  return "\"" + std::string(name) + "\":\"" + std::string(value) + "\"";
}
std::string bytes_member(std::string_view name, ByteView bytes) {
  return text_member(name, to_base64(bytes));
}
std::string_view did_of(std::size_t user) {
  return callers[user].substr(0, callers[user].find('#'));
}

const Signer& signer_of(std::size_t user) {
  static const std::vector<Signer> all{{1, "a"}, {1, "b"}, {1, "c"}, {1, "d"}};
  return all[user];
}
/// Made once: signing is what costs here. The last one of each user is of last resort.
const MadeKeyPackage& package_of(std::size_t user, std::size_t serial) {
  static std::map<std::pair<std::size_t, std::size_t>, MadeKeyPackage> made;
  auto& one = made[{user, serial}];
  if (one.bare.empty()) {
    one = make_key_package(signer_of(user), callers[user],
                           {.last_resort = serial + 1 == packages_per_user, .serial = serial});
  }
  return one;
}
const Bytes& group_info_of(const GroupAt& at) {
  static std::map<std::pair<Bytes, std::uint64_t>, Bytes> made;
  auto& one = made[{at.group_id, at.epoch}];
  if (one.empty()) one = make_group_info(signer_of(0), {.at = at});
  return one;
}
const Bytes& external_commit_of(const GroupAt& at, std::size_t user) {
  static std::map<std::tuple<Bytes, std::uint64_t, std::size_t>, Bytes> made;
  auto& one = made[{at.group_id, at.epoch, user}];
  if (one.empty()) {
    one = make_external_commit(signer_of(user), {.at = at, .identity = std::string(callers[user])});
  }
  return one;
}

struct CallMade {
  std::string method;
  std::string text;  // body or query
  std::size_t user = 0;
  bool repeatable = false;  // sent again at once it must give the same answer
};

class Script {
 public:
  explicit Script(ByteView input) : input_(input), node_(std::make_unique<Node>(disk_)) {}

  void run() {
    for (std::size_t i = 0; i < calls_max && !input_.empty(); ++i) {
      step();
      if (i % check_every == 0) check_store(*node_);
    }
    check_store(*node_);
    check_acknowledged();
  }

 private:
  std::size_t next(std::size_t below) {
    if (input_.empty()) return 0;
    const auto value = input_.front() % below;
    input_ = input_.subspan(1);
    return value;
  }

  void step();
  void surround(std::size_t what);
  void call(CallMade made);
  http::Response send(const CallMade& made);

  void create();
  void change(std::string_view method);
  void join();
  void message();
  void mark();
  void publish();
  void claim();
  void page();
  void welcome();

  std::string convo_member() const { return text_member("convoId", to_hex(group_)); }
  std::string convo_query() const { return "convoId=" + to_hex(group_); }
  /// The conversation's, or now and then a wrong one.
  GroupAt at() {
    const auto* convo = disk_.data().find(core::ConvoId(to_hex(group_)));
    const auto epoch = convo == nullptr ? 0 : convo->head.epoch.value;
    const auto off = next(8);
    return {group_, off == 7 ? epoch + 1 : off == 6 && epoch > 0 ? epoch - 1 : epoch};
  }
  std::string hidden_commit() {
    const auto where = at();
    return bytes_member(
        "commit", make_private_message(where, mls::ContentType::commit, Bytes(8 + next(4), 1)));
  }

  void check_acknowledged();
  void check_page(const http::Response& response, std::size_t user);
  void note_claims(const http::Response& response, std::size_t user);

  ByteView input_;
  storage::MemoryDisk disk_;
  std::unique_ptr<Node> node_;
  Bytes group_ = Bytes(8, 0xaa);
  CallMade last_;
  bool faulty_ = false;  // the next answer may be that the store did not do it
  std::map<std::pair<std::string, std::string>, std::uint64_t> acknowledged_;  // seq of sends
  std::map<std::string, std::pair<std::size_t, std::int64_t>> claims_;  // hash: by whom, until
};

void Script::step() {
  group_.assign(8, next(2) == 0 ? 0xaa : 0xbb);
  const auto kind = next(20);
  switch (kind) {
    case 0:
      return create();
    case 1:
      return change("addMembers");
    case 2:
      return change("removeMember");
    case 3:
      return change("leaveConvo");
    case 4:
      return join();
    case 5:
    case 6:
      return message();
    case 7:
      return mark();
    case 8:
      return publish();
    case 9:
      return claim();
    case 10:
    case 11:
      return page();
    case 12:
      return welcome();
    case 13: {
      const auto where = at();
      return call(
          {"updateGroupInfo",
           "{" + convo_member() + "," + bytes_member("groupInfo", group_info_of(where)) + "}",
           next(users), false});
    }
    case 14:
      return call({"getGroupInfo", convo_query(), next(users), true});
    case 15:
      return call({"getConvos", next(2) == 0 ? "" : "limit=1", next(users), true});
    case 16:
      return call({"getCommits", convo_query() + "&fromEpoch=0", next(users), true});
    default:
      return surround(kind);
  }
}

void Script::surround(std::size_t what) {
  constexpr std::int64_t minute_ms = 60'000;
  if (what == 17) {
    const std::int64_t spans[] = {1, minute_ms, 6 * minute_ms, 91 * 24 * 60 * minute_ms};
    const auto span = spans[next(std::size(spans))];
    node_->clock.time.value += span;
    node_->time.pass(std::chrono::milliseconds(span));
    node_->settle();
  } else if (what == 18) {
    const auto time = node_->clock.time;
    if (next(2) == 0) return node_->sweep();
    node_.reset();
    node_ = std::make_unique<Node>(disk_, next(2) == 0);
    node_->clock.time = time;
  } else {
    using enum storage::Fault;
    const storage::Fault faults[] = {fail_before, full, unknown_lost, unknown_committed};
    disk_.inject(faults[next(std::size(faults))]);
    faulty_ = true;
  }
}

http::Response Script::send(const CallMade& made) {
  const auto caller = callers[made.user];
  const auto method = std::ranges::find(methods(), made.method, &Method::name);
  CATBIRD_CHECK(method != methods().end());
  return method->is_post ? node_->post(made.method, made.text, caller)
                         : node_->get(made.method + "?" + made.text, caller);
}

void Script::call(CallMade made) {
  const bool may_fail = faulty_;
  const auto response = send(made);
  if (response.status != 503) {
    check_answer(response);
  } else {
    CATBIRD_CHECK(may_fail);
    // An actor that lost its store waits before it looks again.
    node_->time.pass(std::chrono::minutes(1));
    node_->settle();
  }
  if (made.repeatable && response.status != 503) {
    const auto again = send(made);
    faulty_ = disk_.data().injected.size() > 0;
    CATBIRD_CHECK(may_fail || again.status == response.status);
    CATBIRD_CHECK(again.status == 503 || again.body == response.body);
  }
  faulty_ = disk_.data().injected.size() > 0;
  if (response.status != 200) return;
  if (made.method == "getMessages") check_page(response, made.user);
  if (made.method == "getKeyPackages") note_claims(response, made.user);
  if (made.method == "sendMessage") {
    dom::parser parser;
    const auto answer = parser.parse(response.body).value();
    const auto id = std::string(answer["messageId"].get_string().value());
    const auto seq = answer["seq"].get_uint64().value();
    const auto [known, fresh] = acknowledged_.try_emplace({to_hex(group_), id}, seq);
    CATBIRD_CHECK(fresh || known->second == seq);
  }
}

void Script::create() {
  std::string members;
  for (std::size_t user = 0; user + 1 < users; ++user) {
    if (next(2) == 0) continue;
    members += (members.empty() ? "\"" : ",\"") + std::string(did_of(user)) + "\"";
  }
  const bool keyed = next(2) == 0;
  auto body = "{" + text_member("groupId", to_hex(group_)) + "," +
              text_member("cipherSuite", suite) + ",\"initialMembers\":[" + members + "]";
  if (keyed) body += "," + text_member("idempotencyKey", std::to_string(next(2)));
  call({"createConvo", body + "}", next(users), keyed});
}

void Script::change(std::string_view method) {
  const auto user = next(users);
  auto body = "{" + convo_member();
  if (method == "addMembers") {
    const auto target = next(users + 1);
    body += ",\"didList\":[";
    if (target < users) body += "\"" + std::string(did_of(target)) + "\"";
    body += "]";
    if (target < users && next(2) == 0) {
      const std::vector<Bytes> refs{package_of(target, next(packages_per_user)).ref};
      body += "," + bytes_member("welcomeMessage", make_welcome(1, refs));
    }
  } else {
    const auto target = next(users + 1);
    if (target < users) body += "," + text_member("targetDid", did_of(target));
  }
  const auto form = next(4);
  if (form != 3) body += "," + hidden_commit();
  if (form == 2) body += "," + text_member("idempotencyKey", std::to_string(next(3)));
  call({std::string(method), body + "}", user, form != 3});
}

void Script::join() {
  const auto user = next(users);
  const auto& commit = external_commit_of(at(), user);
  call({"processExternalCommit",
        "{" + convo_member() + "," + bytes_member("externalCommit", commit) + "}", user, true});
}

void Script::message() {
  const auto user = next(users);
  const auto where = at();
  const auto type = next(4) == 3 ? mls::ContentType::proposal : mls::ContentType::application;
  const auto id = "01JDB4H5T6Q7W8E9R0T1Y2V3" + std::to_string(10 + next(16));
  const auto bytes = pad(make_private_message(where, type, Bytes(16, 1)));
  call({"sendMessage",
        "{" + convo_member() + "," + text_member("msgId", id) + "," +
            bytes_member("ciphertext", bytes) + ",\"epoch\":" + std::to_string(where.epoch) + "}",
        user, true});
}

void Script::mark() {
  const auto cursor = text_member("cursor", std::to_string(next(12)));
  call({"updateCursor", "{" + convo_member() + "," + cursor + "}", next(users), true});
}

void Script::publish() {
  const auto user = next(users);
  const auto& package = package_of(user, next(packages_per_user));
  call({"publishKeyPackage",
        "{" + bytes_member("keyPackage", package.bare) + "," + text_member("cipherSuite", suite) +
            "}",
        user, true});
}

void Script::claim() {
  call({"getKeyPackages", "dids=" + std::string(did_of(next(users))), next(users), true});
}

void Script::page() { call({"getMessages", convo_query() + "&limit=100", next(users), true}); }

void Script::welcome() {
  const auto user = next(users);
  if (next(2) == 0) return call({"getWelcome", convo_query(), user, true});
  const std::string success = next(2) == 0 ? "true" : "false";
  call({"confirmWelcome", "{" + convo_member() + ",\"success\":" + success + "}", user, true});
}

// D1: what was answered is there, with the number it was answered with.
void Script::check_acknowledged() {
  for (const auto& [name, seq] : acknowledged_) {
    const auto* convo = disk_.data().find(core::ConvoId(name.first));
    CATBIRD_CHECK(convo != nullptr);
    const auto row = convo->by_id.find(core::MsgId(name.second));
    CATBIRD_CHECK(row != convo->by_id.end() && row->second.value == seq);
  }
}

// L1, A2: exactly the rows of the caller's window.
void Script::check_page(const http::Response& response, std::size_t user) {
  const auto* convo = disk_.data().find(core::ConvoId(to_hex(group_)));
  CATBIRD_CHECK(convo != nullptr);
  const auto& member = convo->members.at(core::Did(std::string(did_of(user))));
  auto expected = member.join_seq.value;
  const auto last = member.left ? member.left->seq : convo->head.last_seq;
  dom::parser parser;
  for (auto row : parser.parse(response.body).value()["messages"].get_array().value()) {
    CATBIRD_CHECK(row["seq"].get_uint64().value() == ++expected);
  }
  CATBIRD_CHECK(expected == last.value);
}

// K1: while one holds a package, nobody else gets it.
void Script::note_claims(const http::Response& response, std::size_t user) {
  dom::parser parser;
  for (auto one : parser.parse(response.body).value()["keyPackages"].get_array().value()) {
    if (one["lastResort"].error() == simdjson::SUCCESS) continue;
    const auto hash = std::string(one["keyPackageHash"].get_string().value());
    const auto now = node_->clock.time.value;
    const auto held = claims_.find(hash);
    const bool is_free = held == claims_.end() || held->second.second <= now;
    CATBIRD_CHECK(is_free || held->second.first == user);
    constexpr std::int64_t held_ms = 5LL * 60 * 1000;  // DECISIONS 14
    claims_[hash] = {user, is_free ? now + held_ms : held->second.second};
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Script({data, size}).run();
  return 0;
}
