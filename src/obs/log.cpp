// SPDX-License-Identifier: MIT
#include "obs/log.hpp"

#include "base/check.hpp"

#include <fmt/format.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace catbird::obs {
namespace {

struct Directive {
  std::string target;  // empty: every target
  Level level = Level::info;
};

// The only state of the layer: written by configure_log before threads exist, then read only.
// Longest target first, so the first match is the most specific one.
std::vector<Directive>& directives() {
  static std::vector<Directive> list{{"", Level::info}};
  return list;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

constexpr std::array<std::string_view, 6> level_names{"TRACE", "DEBUG", "INFO",
                                                      "WARN",  "ERROR", "OFF"};

std::optional<Level> parse_level(std::string_view text) {
  auto same = [](char a, char b) { return a == b || (a >= 'a' && a <= 'z' && a - 'a' + 'A' == b); };
  for (std::size_t i = 0; i < level_names.size(); ++i) {
    if (std::ranges::equal(text, level_names[i], same)) return static_cast<Level>(i);
  }
  return std::nullopt;
}

std::optional<Directive> parse_directive(std::string_view text) {
  auto const equals = text.find('=');
  if (equals == std::string_view::npos) {
    auto level = parse_level(text);
    if (!level) return std::nullopt;
    return Directive{"", *level};
  }
  auto target = trimmed(text.substr(0, equals));
  auto level = parse_level(trimmed(text.substr(equals + 1)));
  if (target.empty() || !level) return std::nullopt;
  return Directive{std::string(target), *level};
}

bool matches(std::string_view directive, std::string_view target) {
  if (!target.starts_with(directive)) return false;
  auto rest = target.substr(directive.size());
  return directive.empty() || rest.empty() || rest.starts_with("::");
}

/// Length of the well-formed UTF-8 sequence at the front (RFC 3629), 0 if it is none.
std::size_t utf8_length(std::string_view text) {
  auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  std::uint8_t const first = byte(0);
  if (first < 0x80) return 1;
  std::size_t const length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  std::uint8_t const second = byte(1);
  bool const overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
  bool const surrogate = first == 0xED && second > 0x9F;
  bool const beyond = first == 0xF4 && second > 0x8F;
  return overlong || surrogate || beyond ? 0 : length;
}

/// Appends a JSON string, quotes included; what is not UTF-8 becomes U+FFFD.
void append_json(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    char const c = text.front();
    std::size_t length = utf8_length(text);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
    } else if (length == 0) {
      out += "\\ufffd";
      length = 1;
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  out += '"';
}

void append_timestamp(std::string& out) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  tm parts{};
  ::gmtime_r(&now.tv_sec, &parts);
  fmt::format_to(std::back_inserter(out), "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
                 parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min,
                 parts.tm_sec, now.tv_nsec / 1000);
}

/// A log that cannot be written must not stop the server: errors other than EINTR end the line.
void write_line(std::string_view line) {
  while (!line.empty()) {
    ssize_t const written = ::write(STDOUT_FILENO, line.data(), line.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    line.remove_prefix(static_cast<std::size_t>(written));
  }
}

using Key = std::array<std::uint64_t, 2>;

const Key& process_key() {
  static const Key key = [] {
    Key fresh{};
    CATBIRD_CHECK(::getrandom(fresh.data(), sizeof fresh, 0) == sizeof fresh);
    return fresh;
  }();
  return key;
}

/// SipHash-2-4 (Aumasson and Bernstein, 2012): keyed, so that a log reader cannot test a guess.
class SipHash {
 public:
  explicit SipHash(const Key& key)
      : a_(key[0] ^ 0x736f6d6570736575U),
        b_(key[1] ^ 0x646f72616e646f6dU),
        c_(key[0] ^ 0x6c7967656e657261U),
        d_(key[1] ^ 0x7465646279746573U) {}

  std::uint64_t hash(std::string_view text) {
    std::uint64_t const last = std::uint64_t{text.size() & 0xFF} << 56;
    for (; text.size() >= 8; text.remove_prefix(8)) absorb(word(text.substr(0, 8)));
    absorb(word(text) | last);
    c_ ^= 0xFF;
    for (int i = 0; i < 4; ++i) round();
    return a_ ^ b_ ^ c_ ^ d_;
  }

 private:
  static std::uint64_t word(std::string_view bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      value |= std::uint64_t{static_cast<std::uint8_t>(bytes[i])} << (8 * i);
    }
    return value;
  }
  void absorb(std::uint64_t m) {
    d_ ^= m;
    round();
    round();
    a_ ^= m;
  }
  void round() {
    a_ += b_;
    b_ = std::rotl(b_, 13) ^ a_;
    a_ = std::rotl(a_, 32);
    c_ += d_;
    d_ = std::rotl(d_, 16) ^ c_;
    a_ += d_;
    d_ = std::rotl(d_, 21) ^ a_;
    c_ += b_;
    b_ = std::rotl(b_, 17) ^ c_;
    c_ = std::rotl(c_, 32);
  }

  std::uint64_t a_, b_, c_, d_;
};

}  // namespace

void configure_log(std::string_view text) {
  std::vector<Directive> list{{"", Level::info}};
  while (!text.empty()) {
    auto const comma = text.find(',');
    auto directive = parse_directive(trimmed(text.substr(0, comma)));
    // The first entry is the default level; a repeated target takes its last level, as in Rust.
    if (directive) {
      std::erase_if(list,
                    [&](const Directive& known) { return known.target == directive->target; });
      list.push_back(*std::move(directive));
    }
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
  }
  std::ranges::sort(list, std::ranges::greater{},
                    [](const Directive& d) { return d.target.size(); });
  directives() = std::move(list);
}

bool enabled(Level level, std::string_view target) {
  if (level == Level::off) return false;
  for (const Directive& directive : directives()) {
    if (matches(directive.target, target)) return level >= directive.level;
  }
  return false;
}

void log(Level level, std::string_view target, std::string_view message,
         std::initializer_list<Field> fields) {
  if (!enabled(level, target)) return;
  std::string line;
  line.reserve(256);
  line += "{\"timestamp\":\"";
  append_timestamp(line);
  line += "\",\"level\":\"";
  line += level_names[static_cast<std::size_t>(level)];
  line += "\",\"fields\":{\"message\":";
  append_json(line, message);
  for (const Field& field : fields) {
    line += ',';
    append_json(line, field.name);
    line += ':';
    append_json(line, field.value);
  }
  line += "},\"target\":";
  append_json(line, target);
  line += "}\n";
  write_line(line);
}

std::string log_id(std::string_view identifier) {
  // 48 bits: enough to follow one conversation, too few to be mistaken for an identifier.
  constexpr std::uint64_t mask = (std::uint64_t{1} << 48) - 1;
  return fmt::format("{:012x}", SipHash(process_key()).hash(identifier) & mask);
}

}  // namespace catbird::obs
