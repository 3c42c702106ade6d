// SPDX-License-Identifier: MIT
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

// One JSON object a line on stdout, in the predecessor's shape:
// {"timestamp":"…Z","level":"INFO","fields":{"message":"…",…},"target":"catbird_server::actors::registry"}
// Never pass a DID, token, ciphertext or key: conversation ids only through log_id().

namespace catbird::obs {

enum class Level { trace, debug, info, warn, error, off };

/// `RUST_LOG` syntax as far as operators used it: a level, or `target=level,…` (the most specific
/// prefix wins). Call once at start, before threads exist.
void configure_log(std::string_view directives);

struct Field {
  std::string_view name;
  std::string value;
};

bool enabled(Level level, std::string_view target);
/// Thread-safe; one write(2) a line.
void log(Level level, std::string_view target, std::string_view message,
         std::initializer_list<Field> fields = {});

/// A short stable pseudonym of an identifier, keyed per process: lets an operator follow one
/// conversation in a log without the log naming it to anyone else.
std::string log_id(std::string_view identifier);

}  // namespace catbird::obs
