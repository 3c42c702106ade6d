// SPDX-License-Identifier: MIT
#pragma once

#include "support/auth_signer.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace catbird::bench {

/// A set of seeded conversations, alike but for their names. Everything about them follows from
/// `name`, so that the seeder and the generator agree without telling each other.
struct Group {
  std::string name;
  std::size_t convos = 0;
  std::size_t members = 0;  // of each; member 0 is the creator
  std::size_t rows = 0;     // of each, before the run
  /// Rows of conversation 0, where it is to have more than the others.
  std::size_t rows_of_first = 0;

  std::size_t rows_in(std::size_t convo) const {
    return convo == 0 && rows_of_first != 0 ? rows_of_first : rows;
  }
  /// 32 hexadecimal characters.
  std::string convo(std::size_t number) const;
  std::string did(std::size_t convo, std::size_t member) const;
};

/// A client-chosen message id: ULID-shaped, and they sort by `number`, as ULIDs do by time.
std::string message_id(std::uint64_t number);
std::uint64_t message_number(std::string_view id);
/// Seeded rows have ids above this, sent ones below.
inline constexpr std::uint64_t seeded_messages = std::uint64_t{1} << 60U;
/// Of a message of about 100 bytes; its padded frame has 512.
inline constexpr std::size_t short_ciphertext_bytes = 180;
/// The padded frame that clients send.
Bytes message_frame(const std::string& convo, std::size_t ciphertext_bytes);

/// Makes complete HTTP requests, each with a token of its own: a token works once.
class Traffic {
 public:
  Traffic(std::string secret, std::string aud);

  std::string health() const;
  std::string get_epoch(const Group& group, std::size_t convo);
  std::string get_messages(const Group& group, std::size_t convo, const std::string& query);
  std::string send_message(const Group& group, std::size_t convo, std::uint64_t message);
  /// A signed commit on `epoch` with an inline Add of somebody new.
  std::string add_members(const Group& group, std::size_t convo, std::uint64_t epoch);

  std::uint64_t next_message() { return ++messages_; }
  /// From now on tokens are signed so.
  void use_es256k(bool on) { es256k_ = on; }
  void use_messages_of(std::size_t ciphertext_bytes) { ciphertext_bytes_ = ciphertext_bytes; }
  const test::Signer& es256k_key() const { return *signer_; }
  const std::string& secret() const { return secret_; }
  const std::string& aud() const { return aud_; }

 private:
  std::string token(const std::string& did, const std::string& method);
  std::string get(const std::string& did, const std::string& method, const std::string& query);
  std::string post(const std::string& did, const std::string& method, const std::string& body);

  std::string secret_, aud_;
  std::unique_ptr<test::Signer> signer_;
  bool es256k_ = false;
  std::size_t ciphertext_bytes_ = short_ciphertext_bytes;
  std::uint64_t tokens_ = 0;
  std::uint64_t messages_ = 0;
  std::uint64_t added_ = 0;
};

}  // namespace catbird::bench
