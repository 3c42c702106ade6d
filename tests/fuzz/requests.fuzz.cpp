// SPDX-License-Identifier: MIT
#include "fuzz/requests.hpp"

#include "base/check.hpp"
#include "fuzz/allocation.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

using namespace catbird;
using namespace catbird::fuzz;

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace {

// A request costs its body a few times over (JSON tape, decoded bytes, what is stored of it), and
// what the base state answers with: some messages.
constexpr std::size_t heap_bytes_base = 256 * 1024;
constexpr std::size_t heap_factor = 64;

/// The base state; what an execution writes on top is never synced, and lost in a crash after it.
storage::MemoryDisk& base() {
  static storage::MemoryDisk disk;
  static const bool made = [] {
    make_base(disk);
    disk.on_batch([](auto, auto) { return storage::Fault::committed_unsynced; });
    return true;
  }();
  CATBIRD_CHECK(made);
  return disk;
}

bool is_base64(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' ||
         c == '/' || c == '=';
}

/// Where a string begins that may be MLS bytes in base64, from `from` on and then around.
std::string_view find_base64(std::string_view text, std::size_t from) {
  constexpr std::size_t shortest = 24;
  for (std::size_t turn = 0; turn < 2; ++turn, from = 0) {
    for (std::size_t at = text.find('"', from); at < text.size(); at = text.find('"', at + 1)) {
      const auto rest = text.substr(at + 1);
      const auto* end = std::ranges::find_if_not(rest, is_base64);
      const auto length = static_cast<std::size_t>(end - rest.begin());
      if (length >= shortest && length < rest.size() && *end == '"') return rest.substr(0, length);
    }
  }
  return {};
}

}  // namespace

/// Half of the mutations change what stands in base64, which would else hide the MLS structures.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
  const auto text = text_of({data, size});
  const auto inner = seed % 2 == 0 ? find_base64(text, seed / 2 % (size + 1)) : std::string_view();
  auto bytes = from_base64(inner);
  if (inner.empty() || !bytes) return LLVMFuzzerMutate(data, size, max_size);
  const auto old_size = bytes->size();
  constexpr std::size_t growth_max = 64;
  bytes->resize(old_size + growth_max);
  bytes->resize(LLVMFuzzerMutate(bytes->data(), old_size, bytes->size()));
  const auto start = static_cast<std::size_t>(inner.data() - text.data());
  auto changed = std::string(text.substr(0, start)) + to_base64(*bytes);
  changed += text.substr(start + inner.size());
  if (changed.size() > max_size) return LLVMFuzzerMutate(data, size, max_size);
  std::ranges::copy(changed, data);
  return changed.size();
}

/// One request to a server that has a history. It answers, nothing else breaks.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto request = decode_request({data, size});
  if (!request) return 0;
  auto& disk = base();
  {
    Node node(disk, request->actors);
    const testing::HeapWatch heap;
    auto response = send(node, *request);
    check_answer(response);
    if (response.stream) node.read_stream(*response.stream, 8);
    heap.check_at_most(heap_bytes_base + heap_factor * size);
    check_store(node);
  }
  disk.crash();
  return 0;
}
