// SPDX-License-Identifier: MIT
#include "auth/service_auth.hpp"
#include "base/bytes.hpp"
#include "base/digest.hpp"

#include <string>
#include <string_view>

namespace catbird::auth {
namespace {

constexpr unsigned char first_printable = 0x20;

std::string json_text(std::string_view text) {
  std::string json = "\"";
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < first_printable) {
      json.append("\\u00").append(to_hex(view_of({&c, 1})));
      continue;
    }
    if (c == '"' || c == '\\') json.push_back('\\');
    json.push_back(c);
  }
  json.push_back('"');
  return json;
}

}  // namespace

std::string mint_dev_token(std::string_view secret, std::string_view iss, std::string_view aud,
                           std::string_view lxm, Timestamp now, std::chrono::seconds ttl,
                           std::string_view jti) {
  const std::int64_t iat = now.value / 1000;
  const std::string claims = "{\"iss\":" + json_text(iss) + ",\"aud\":" + json_text(aud) +
                             ",\"lxm\":" + json_text(lxm) + ",\"jti\":" + json_text(jti) +
                             ",\"iat\":" + std::to_string(iat) +
                             ",\"exp\":" + std::to_string(iat + ttl.count()) + "}";
  std::string token = to_base64url(view_of(R"({"alg":"HS256","typ":"JWT"})"));
  token.append(".").append(to_base64url(view_of(claims)));
  const auto mac = HmacSha256(view_of(secret)).of({view_of(token)});
  return token.append(".").append(to_base64url(mac));
}

}  // namespace catbird::auth
