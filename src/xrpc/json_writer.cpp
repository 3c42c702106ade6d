// SPDX-License-Identifier: MIT
#include "xrpc/json_writer.hpp"

namespace catbird::xrpc {

void JsonWriter::quote(std::string_view value) {
  constexpr std::string_view hex = "0123456789abcdef";
  out_.push_back('"');
  std::size_t plain = 0;  // start of the run that needs no escape
  for (std::size_t i = 0; i < value.size(); ++i) {
    const auto c = static_cast<unsigned char>(value[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    out_.append(value.substr(plain, i - plain));
    plain = i + 1;
    if (c == '"' || c == '\\') {
      out_.push_back('\\');
      out_.push_back(static_cast<char>(c));
    } else {
      out_.append("\\u00");
      out_.push_back(hex[c >> 4U]);
      out_.push_back(hex[c & 15U]);
    }
  }
  out_.append(value.substr(plain));
  out_.push_back('"');
}

}  // namespace catbird::xrpc
