// SPDX-License-Identifier: MIT
#pragma once

#include "base/bytes.hpp"

#include <nlohmann/json.hpp>

#include <cstdlib>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>

namespace catbird::testing {

/// One file of the working group's official vectors. They are not ours to ship: they are read from
/// $CATBIRD_SHARED/vectors, by default beside the repository. Nothing if they are not there.
inline std::optional<nlohmann::json> load_vectors(const std::string& name) {
  const char* shared = std::getenv("CATBIRD_SHARED");  // NOLINT(concurrency-mt-unsafe)
  const std::string folder = shared != nullptr ? shared : CATBIRD_SOURCE_DIR "/../shared";
  std::ifstream file(folder + "/vectors/" + name + ".json");
  if (!file) return std::nullopt;
  return nlohmann::json::parse(file);
}

inline Bytes hex_of(const nlohmann::json& entry, const char* field) {
  const auto bytes = from_hex(entry.at(field).get<std::string>());
  if (!bytes) throw std::runtime_error(std::string("not hexadecimal: ") + field);
  return *bytes;
}

}  // namespace catbird::testing
