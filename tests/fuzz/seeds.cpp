// SPDX-License-Identifier: MIT
#include "fuzz/requests.hpp"
#include "support/mls_samples.hpp"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

namespace {

using catbird::Bytes;
using catbird::testing::Kind;
using catbird::testing::made_samples;

const char* fuzzer_of(Kind kind) {
  switch (kind) {
    case Kind::key_package:
      return "key_package";
    case Kind::welcome:
      return "welcome";
    case Kind::group_info:
      return "group_info";
    case Kind::ratchet_tree:
      return "ratchet_tree";
    case Kind::message:
    case Kind::commit:
    case Kind::proposal:
      break;
  }
  return "message";
}

void write(const std::filesystem::path& folder, std::size_t number, const Bytes& bytes) {
  std::filesystem::create_directories(folder);
  std::ofstream file(folder / std::to_string(number), std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  if (!file.flush()) throw std::runtime_error("cannot write " + folder.string());
}

/// A seed that is refused early would teach the fuzzer little.
bool is_accepted(const catbird::fuzz::SampleRequest& sample) {
  catbird::storage::MemoryDisk disk;
  catbird::fuzz::make_base(disk);
  catbird::fuzz::Node node(disk);
  const auto bytes = sample.encoded();
  const auto response = catbird::fuzz::send(node, *catbird::fuzz::decode_request(bytes));
  if (response.status == 200) return true;
  const std::string method(sample.method);
  std::fprintf(stderr, "a %s is refused: %s\n", method.c_str(), response.body.c_str());
  return false;
}

}  // namespace

/// Writes the seed corpus of each fuzzer into a folder of the directory given.
int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: catbird_fuzz_seeds DIRECTORY\n");
    return 2;
  }
  const std::filesystem::path root(argv[1]);
  std::size_t number = 0;
  for (const auto& sample : made_samples()) {
    write(root / fuzzer_of(sample.kind), ++number, sample.bytes);
    if (sample.kind != Kind::message) continue;
    write(root / "padding", number, catbird::testing::pad(sample.bytes));
  }
  for (const auto& sample : catbird::fuzz::sample_requests()) {
    if (sample.accepted && !is_accepted(sample)) return 1;
    write(root / "requests", ++number, sample.encoded());
  }
  return 0;
}
