// SPDX-License-Identifier: MIT
#include "auth/jwt.hpp"

#include "auth/limits.hpp"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace catbird::auth {
namespace {

namespace dom = simdjson::dom;

constexpr double seconds_max = 9'007'199'254'740'991.0;  // 2^53 - 1: exact in a JSON number

std::unexpected<Error> refuse(std::string_view detail) {
  return fail(Errc::unauthenticated, std::string(detail));
}

/// Two members of one name would let two readers of one token see two different claims.
bool is_unambiguous(dom::element element, std::size_t depth) {
  if (depth > json_depth_max) return false;
  if (element.is_array()) {
    const dom::array array = element;
    return std::ranges::all_of(array.begin(), array.end(), [&](dom::element inner) {
      return is_unambiguous(inner, depth + 1);
    });
  }
  if (!element.is_object()) return true;
  const dom::object object = element;
  std::array<std::string_view, json_members_max> names;
  std::size_t count = 0;
  for (const auto& member : object) {
    if (count == names.size()) return false;
    const auto known = names.begin() + static_cast<std::ptrdiff_t>(count);
    if (std::find(names.begin(), known, member.key) != known) return false;
    names[count++] = member.key;
    if (!is_unambiguous(member.value, depth + 1)) return false;
  }
  return true;
}

/// An object of a token. Members live as long as `parser`.
Result<dom::object> parse_segment(dom::parser& parser, std::string_view segment) {
  const auto json = from_base64url(segment);
  if (!json || json->empty()) return refuse("token is malformed");
  dom::element root;
  const auto text = text_of(*json);
  if (parser.parse(text.data(), text.size()).get(root) != simdjson::SUCCESS || !root.is_object()) {
    return refuse("token is malformed");
  }
  if (!is_unambiguous(root, 0)) return refuse("token is ambiguous");
  return dom::object(root);
}

std::optional<Alg> parse_alg(std::string_view name) {
  if (name == "ES256K") return Alg::es256k;
  if (name == "ES256") return Alg::es256;
  if (name == "HS256") return Alg::hs256;
  return std::nullopt;
}

Result<Alg> read_header(const dom::object& header) {
  std::string_view alg_name;
  if (header["alg"].get(alg_name) != simdjson::SUCCESS) return refuse("alg is missing");
  const auto alg = parse_alg(alg_name);
  if (!alg) return refuse("alg is not accepted");
  if (header["crit"].error() != simdjson::NO_SUCH_FIELD) return refuse("crit is not accepted");
  const auto typ = header["typ"];
  if (typ.error() == simdjson::NO_SUCH_FIELD) return *alg;
  // An access or refresh token of the caller's own server must not pass for a service token.
  std::string_view typ_name;
  if (typ.get(typ_name) != simdjson::SUCCESS || (typ_name != "JWT" && typ_name != "jwt")) {
    return refuse("typ is not accepted");
  }
  return *alg;
}

bool read_text(const dom::object& claims, std::string_view name, std::string& out) {
  std::string_view text;
  if (claims[name].get(text) != simdjson::SUCCESS || text.empty()) return false;
  out = text;
  return true;
}

/// RFC 7519 NumericDate: a number, perhaps with a fraction, which is cut off.
std::optional<std::int64_t> read_seconds(dom::element value) {
  double number = 0;
  if (!value.is_number() || value.get(number) != simdjson::SUCCESS) return std::nullopt;
  if (!(number >= 0 && number <= seconds_max)) return std::nullopt;
  return static_cast<std::int64_t>(number);
}

/// False if the claim is there but no time.
bool read_optional_seconds(const dom::object& claims, std::string_view name,
                           std::optional<std::int64_t>& out) {
  dom::element value;
  const auto found = claims[name].get(value);
  if (found == simdjson::NO_SUCH_FIELD) return true;
  if (found != simdjson::SUCCESS) return false;
  out = read_seconds(value);
  return out.has_value();
}

Result<void> read_claims(const dom::object& claims, Token& token) {
  if (!read_text(claims, "iss", token.iss)) return refuse("iss is missing");
  if (!read_text(claims, "aud", token.aud)) return refuse("aud is missing or not a string");
  if (!read_text(claims, "lxm", token.lxm)) return refuse("lxm is missing");
  if (!read_text(claims, "jti", token.jti)) return refuse("jti is missing");
  if (token.jti.size() > jti_bytes_max) return refuse("jti is too long");
  std::optional<std::int64_t> exp;
  if (!read_optional_seconds(claims, "exp", exp) || !exp) return refuse("exp is missing");
  token.exp = *exp;
  if (!read_optional_seconds(claims, "iat", token.iat)) return refuse("iat is not a time");
  if (!read_optional_seconds(claims, "nbf", token.nbf)) return refuse("nbf is not a time");
  return {};
}

}  // namespace

Result<Token> parse_token(std::string_view text) {
  if (text.size() > token_bytes_max) return refuse("token is too large");
  const auto first_dot = text.find('.');
  if (first_dot == std::string_view::npos) return refuse("token is malformed");
  const auto second_dot = text.find('.', first_dot + 1);
  if (second_dot == std::string_view::npos) return refuse("token is malformed");
  // A third dot fails below: it is no character of base64url.
  auto signature = from_base64url(text.substr(second_dot + 1));
  if (!signature) return refuse("token is malformed");

  // Its memory is worth keeping: making it costs more than parsing a token.
  static thread_local dom::parser parser;
  const auto header = parse_segment(parser, text.substr(0, first_dot));
  if (!header) return std::unexpected(header.error());
  const auto alg = read_header(*header);
  if (!alg) return std::unexpected(alg.error());

  // The parser reuses its memory: everything of the header is read by now.
  const auto claims = parse_segment(parser, text.substr(first_dot + 1, second_dot - first_dot - 1));
  if (!claims) return std::unexpected(claims.error());
  Token token;
  token.alg = *alg;
  token.signed_text = text.substr(0, second_dot);
  token.signature = std::move(*signature);
  auto read = read_claims(*claims, token);
  if (!read) return std::unexpected(std::move(read.error()));
  return token;
}

}  // namespace catbird::auth
