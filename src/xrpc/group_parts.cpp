// SPDX-License-Identifier: MIT
#include "xrpc/group_parts.hpp"

#include "core/limits.hpp"
#include "mls/parse.hpp"
#include "mls/verify.hpp"
#include "xrpc/shapes.hpp"

#include <simdjson.h>

#include <algorithm>
#include <set>
#include <utility>

namespace catbird::xrpc {

namespace {

Bytes copy(ByteView view) { return {view.begin(), view.end()}; }

Result<std::optional<Bytes>> blob(const Fields& fields, std::string_view name) {
  auto bytes = fields.maybe_bytes(name);
  if (!bytes) return std::unexpected(bytes.error());
  if (*bytes && (*bytes)->size() > core::blob_bytes_max) {
    return fail(Errc::message_too_large, std::string(name) + " is too large");
  }
  return bytes;
}

std::optional<CredentialName> name_of(const mls::Credential& credential) {
  if (credential.type != mls::basic_credential) return std::nullopt;
  return credential_name(credential.identity);
}

Result<void> read_public_commit(const mls::PublicMessage& message, const PartNames& names,
                                ParsedParts& parsed) {
  const auto* commit = std::get_if<mls::Commit>(&message.content);
  if (commit == nullptr) return fail(Errc::invalid_commit, "the MLS message is not a commit");
  const auto wanted = names.external ? mls::SenderType::new_member_commit : mls::SenderType::member;
  if (message.sender.type != wanted) {
    return fail(Errc::invalid_commit, names.external ? "not an external commit"
                                                     : "an external commit needs its own method");
  }
  parsed.commit_is_public = true;
  bool external_init = false;
  for (const auto& item : commit->proposals) {
    const auto* proposal = std::get_if<mls::Proposal>(&item);
    if (proposal == nullptr) {
      parsed.has_references = true;
      continue;
    }
    external_init |= std::holds_alternative<mls::ExternalInitProposal>(*proposal);
    const auto* add = std::get_if<mls::AddProposal>(proposal);
    if (add == nullptr) continue;
    auto name = name_of(add->key_package.leaf.credential);
    if (!name) return fail(Errc::invalid_commit, "an added leaf has no DID credential");
    parsed.inline_adds.push_back(std::move(name->user));
  }
  if (external_init != names.external) {
    return fail(Errc::invalid_commit, "ExternalInit and sender type disagree");
  }
  if (!names.external) return {};
  if (!commit->path || parsed.has_references || !parsed.inline_adds.empty()) {
    return fail(Errc::invalid_commit, "not a valid external commit");  // RFC 9420 §12.4.3.2
  }
  auto name = name_of(commit->path->leaf.credential);
  if (!name) return fail(Errc::invalid_commit, "the joining leaf has no DID credential");
  parsed.joiner = std::move(name->user);
  parsed.joiner_device = std::move(name->device);
  return {};
}

Result<void> read_commit(const Fields& fields, const PartNames& names, ParsedParts& parsed) {
  if (names.commit.empty()) return {};  // the method takes none
  auto bytes = blob(fields, names.commit);
  if (!bytes) return std::unexpected(bytes.error());
  if (!*bytes || (*bytes)->empty()) return {};
  auto shared = make_blob(std::move(**bytes));
  auto message = mls::parse_message(*shared);
  if (!message) return fail(Errc::invalid_commit, message.error().detail);
  if (const auto* hidden = std::get_if<mls::PrivateMessage>(&message->body)) {
    if (names.external || hidden->content_type != mls::ContentType::commit) {
      return fail(Errc::invalid_commit, "the MLS message is not such a commit");
    }
    parsed.parts.commit =
        core::CommitPart{shared, copy(hidden->group_id), core::Epoch(hidden->epoch)};
    return {};
  }
  const auto* plain = std::get_if<mls::PublicMessage>(&message->body);
  if (plain == nullptr) return fail(Errc::invalid_commit, "the MLS message is not a commit");
  parsed.parts.commit = core::CommitPart{shared, copy(plain->group_id), core::Epoch(plain->epoch)};
  return read_public_commit(*plain, names, parsed);
}

Result<void> read_welcome(const Fields& fields, ParsedParts& parsed) {
  auto bytes = blob(fields, "welcomeMessage");
  if (!bytes) return std::unexpected(bytes.error());
  if (!*bytes || (*bytes)->empty()) return {};
  auto shared = make_blob(std::move(**bytes));
  auto welcome = mls::read_welcome(*shared);
  if (!welcome) {
    return fail(Errc::invalid_request, "welcomeMessage: " + welcome.error().detail);
  }
  for (const auto& secret : welcome->secrets) {
    parsed.welcome_refs.push_back(copy(secret.new_member));
  }
  parsed.parts.welcome = core::WelcomePart{std::move(shared), {}};
  return {};
}

Result<void> read_group_info(const Fields& fields, ParsedParts& parsed) {
  auto bytes = blob(fields, "groupInfo");
  if (!bytes) return std::unexpected(bytes.error());
  if (!*bytes || (*bytes)->empty()) return {};
  auto shared = make_blob(std::move(**bytes));
  auto info = mls::read_group_info(*shared);
  if (!info) return fail(Errc::invalid_group_info, info.error().detail);
  parsed.parts.group_info =
      core::GroupInfoPart{shared, copy(info->context.group_id), core::Epoch(info->context.epoch)};
  return {};
}

Result<void> read_hashes(const Fields& fields, ParsedParts& parsed) {
  auto entries = fields.maybe_objects("keyPackageHashes");
  if (!entries) return std::unexpected(entries.error());
  if (entries->size() > core::members_max) return fail(Errc::too_many_members);
  for (const auto& entry : *entries) {
    auto owner = entry.text("did");
    if (!owner) return std::unexpected(owner.error());
    if (auto known = address(*owner); !known) return std::unexpected(known.error());
    auto text = entry.text("hash");
    if (!text) return std::unexpected(text.error());
    auto hash = from_hex(*text);
    if (!hash || hash->empty()) {
      return fail(Errc::invalid_request, "keyPackageHashes holds a hash that is not hexadecimal");
    }
    parsed.named_hashes.push_back(std::move(*hash));
  }
  return {};
}

std::vector<Bytes> without_repeats(const std::vector<Bytes>& ids) {
  std::set<Bytes> seen;
  std::vector<Bytes> out;
  for (const auto& id : ids) {
    if (seen.insert(id).second) out.push_back(id);
  }
  return out;
}

bool is_usable(const storage::KeyPackageFacts& facts, const core::Did& caller) {
  if (facts.consumed) return false;
  return facts.last_resort || facts.reserved_by == caller;
}

}  // namespace

std::optional<CredentialName> credential_name(ByteView identity) {
  // Bytes so far, unlike what came as JSON. As a name they are written into the lists of everybody
  // in the conversation, which one device that is no UTF-8 would make unreadable.
  const auto text = text_of(identity);
  if (!simdjson::validate_utf8(text.data(), text.size())) return std::nullopt;
  auto parsed = address(text);
  if (!parsed) return std::nullopt;
  return CredentialName{std::move(parsed->user), parsed->device.value_or(core::DeviceId())};
}

Result<ParsedParts> parse_parts(const Fields& fields, const PartNames& names) {
  ParsedParts parsed;
  if (auto read = read_commit(fields, names, parsed); !read) return std::unexpected(read.error());
  if (auto read = read_welcome(fields, parsed); !read) return std::unexpected(read.error());
  if (auto read = read_group_info(fields, parsed); !read) return std::unexpected(read.error());
  if (auto read = read_hashes(fields, parsed); !read) return std::unexpected(read.error());
  return parsed;
}

Result<void> check_inline_adds(const ParsedParts& parsed, const std::vector<core::Did>& declared) {
  if (!parsed.commit_is_public) return {};
  auto in = [](const std::vector<core::Did>& list, const core::Did& user) {
    return std::ranges::find(list, user) != list.end();
  };
  const bool all_declared = std::ranges::all_of(
      parsed.inline_adds, [&](const core::Did& user) { return in(declared, user); });
  // Adds taken by reference are not in these bytes; then the list may name more.
  const bool all_added =
      parsed.has_references || std::ranges::all_of(declared, [&](const core::Did& user) {
        return in(parsed.inline_adds, user);
      });
  if (all_declared && all_added) return {};
  return fail(Errc::invalid_commit, "the commit adds others than the request names");
}

Result<core::GroupParts> resolve_parts(storage::Reader& reader, ParsedParts parsed,
                                       const core::Did& caller,
                                       const std::vector<core::Did>& declared, Timestamp now) {
  auto& parts = parsed.parts;
  const auto ids = without_repeats(parts.welcome ? parsed.welcome_refs : parsed.named_hashes);
  if (ids.empty() && !parts.welcome) return std::move(parts);
  auto facts = reader.find_key_packages(ids, now);
  if (!facts) return std::unexpected(facts.error());
  if (!parts.welcome && facts->size() < ids.size()) return fail(Errc::key_package_not_found);
  std::vector<core::Did> matched;
  for (const auto& known : *facts) {
    // Named both by ref and by hash: still one package.
    const auto again = std::ranges::find(parts.key_packages, known.ref, &core::KeyPackageUse::ref);
    if (again != parts.key_packages.end()) continue;
    parts.key_packages.push_back({known.ref, is_usable(known, caller)});
    matched.push_back(known.user);
    if (parts.welcome) {
      parts.welcome->recipients.push_back({known.user, known.device, known.ref});
    }
  }
  if (!parts.welcome) return std::move(parts);
  // Packages that never passed through this server: the declared members are all we have.
  if (facts->size() < ids.size()) {
    for (const auto& user : declared) {
      if (user == caller || std::ranges::find(matched, user) != matched.end()) continue;
      parts.welcome->recipients.push_back({user, core::DeviceId(), {}});
    }
  }
  if (parts.welcome->recipients.empty()) {
    return fail(Errc::invalid_request, "the Welcome has no recipient");
  }
  return std::move(parts);
}

Result<std::optional<core::RequestKey>> request_key(const Body& body, std::string_view method,
                                                    const core::GroupParts& parts) {
  auto given = body.fields().maybe_text("idempotencyKey");
  if (!given) return std::unexpected(given.error());
  if (*given && !(*given)->empty()) {
    const bool clean = std::ranges::all_of(
        **given, [](char c) { return static_cast<unsigned char>(c) > 0x20 && c != 0x7f; });
    if ((*given)->size() > core::request_key_bytes_max || !clean) {
      return fail(Errc::invalid_request, "idempotencyKey must be 1 to 128 visible characters");
    }
    return core::RequestKey{std::string(method), std::move(**given), body.digest()};
  }
  if (!parts.commit) return std::nullopt;
  const auto hash = mls::sha256(*parts.commit->bytes);
  return core::RequestKey{std::string(method), "commit " + to_hex(hash), body.digest()};
}

}  // namespace catbird::xrpc
