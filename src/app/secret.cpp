// SPDX-License-Identifier: MIT
#include "app/secret.hpp"

#include "base/check.hpp"

#include <fcntl.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace catbird::app {

namespace {

constexpr std::size_t secret_bytes = 32;

// Durable before anything is keyed with it: written, synced, then linked into place.
Result<void> create(const std::string& path, const Bytes& secret) {
  const auto parent = std::filesystem::path(path).parent_path();
  std::error_code ignored;  // open() below reports what is wrong
  if (!parent.empty()) std::filesystem::create_directories(parent, ignored);
  const auto temporary = path + ".new";
  const int file = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) {
    return fail(Errc::storage_unavailable, "cannot create " + path + ": " + std::strerror(errno));
  }
  const auto text = to_hex(secret) + "\n";
  // open() sets the mode only of a file that it creates; one may be left of an interrupted start.
  const bool is_private = ::fchmod(file, 0600) == 0;
  const bool written =
      is_private && ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      ::fsync(file) == 0;
  ::close(file);
  if (!written || ::rename(temporary.c_str(), path.c_str()) != 0) {
    return fail(Errc::storage_unavailable, "cannot write " + path + ": " + std::strerror(errno));
  }
  const int directory =
      ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory >= 0) {
    ::fsync(directory);
    ::close(directory);
  }
  return {};
}

}  // namespace

Bytes random_bytes(std::size_t size) {
  Bytes bytes(size);
  CATBIRD_CHECK(RAND_bytes(bytes.data(), static_cast<int>(size)) == 1);
  return bytes;
}

Result<Bytes> open_secret(const std::string& path, bool data_exists) {
  std::ifstream file(path);
  if (!file) {
    std::error_code ignored;
    if (std::filesystem::exists(std::filesystem::symlink_status(path, ignored))) {
      return fail(Errc::storage_unavailable, "cannot read the secret file " + path);
    }
    if (data_exists) {
      return fail(Errc::storage_unavailable,
                  "the secret file " + path +
                      " is missing but the database exists: restore it from the backup");
    }
    auto secret = random_bytes(secret_bytes);
    if (auto created = create(path, secret); !created) return std::unexpected(created.error());
    return secret;
  }
  std::string text(std::istreambuf_iterator<char>(file), {});
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  auto secret = from_hex(text);
  if (!secret || secret->size() != secret_bytes) {
    return fail(Errc::storage_unavailable, "the secret file " + path + " is damaged");
  }
  return std::move(*secret);
}

}  // namespace catbird::app
