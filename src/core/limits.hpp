// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

// Every limit of the rules, by name, unit last. docs/operations.md lists them.

namespace catbird::core {

/// DECISIONS 13: no stored blob above this, so that a page with one row stays below 10 MiB.
inline constexpr std::size_t blob_bytes_max = 7 * 1024 * 1024;
/// A page ends here even if the row limit is not reached; it always holds at least one row.
inline constexpr std::size_t page_bytes_max = 8 * 1024 * 1024 - 512 * 1024;
inline constexpr std::size_t members_max = 1000;                 // lexicon updatePolicy.maxMembers
inline constexpr std::size_t add_dids_max = 50;                  // lexicon addMembers.didList
inline constexpr std::size_t claim_dids_max = 100;               // lexicon getKeyPackages.dids
inline constexpr std::size_t key_packages_batch_max = 100;       // lexicon publishKeyPackages
inline constexpr std::size_t key_package_bytes_max = 48 * 1024;  // 65,536 base64 characters
inline constexpr std::size_t key_packages_per_device_max = 200;
inline constexpr std::size_t key_packages_low = 5;      // stats: needsReplenish below this
inline constexpr std::size_t key_packages_target = 50;  // what a device should have
inline constexpr std::size_t sync_hashes_max = 10'000;  // syncKeyPackages: real lists are long
inline constexpr std::size_t devices_per_user_default = 10;
inline constexpr std::size_t device_name_bytes_max = 100;  // lexicon registerDevice.deviceName
inline constexpr std::size_t device_uuid_bytes_max = 128;
inline constexpr std::size_t device_id_bytes_max = 256;
inline constexpr std::size_t push_token_bytes_max = 4096;
inline constexpr std::size_t record_id_bytes_max = 64;  // requests, pending additions
inline constexpr std::int64_t addition_claim_ms = 60'000;
inline constexpr std::int64_t ticket_life_ms = 30'000;  // getSubscriptionTicket
inline constexpr std::size_t opt_in_dids_max = 100;     // lexicon getOptInStatus.dids
inline constexpr std::size_t reason_bytes_max = 500;
inline constexpr std::size_t report_bytes_max = 51'200;  // lexicon reportMember.encryptedContent
inline constexpr std::size_t report_messages_max = 20;   // lexicon reportMember.messageIds
inline constexpr std::size_t category_bytes_max = 64;
inline constexpr std::size_t check_dids_max = 100;  // lexicon checkBlocks.dids
inline constexpr std::size_t at_uri_bytes_max = 2600;
inline constexpr std::size_t notes_bytes_max = 1000;  // lexicon resolveReport.notes
inline constexpr std::size_t ephemeral_bytes_max = 64 * 1024;
inline constexpr std::size_t preview_bytes_max = 200;  // lexicon sendChatRequest.previewText
inline constexpr std::size_t held_messages_max = 5;
inline constexpr std::size_t ephemeral_key_bytes_max = 256;
inline constexpr std::size_t chat_requests_per_day_max = 50;  // of one sender
inline constexpr std::int64_t request_expire_days_max = 30;
inline constexpr std::size_t name_bytes_max = 128;     // lexicon metadata.name: bytes of UTF-8
inline constexpr std::size_t group_id_bytes_max = 64;  // lexicon: 128 hex characters
inline constexpr std::size_t request_key_bytes_max = 128;
/// Where a conversation may begin: far from any end, also of a JSON number.
inline constexpr std::uint64_t creation_epoch_max = std::uint64_t{1} << 48U;
/// Newest keys kept with an activation; older ones are found in the store (DECISIONS 1).
inline constexpr std::size_t key_window_max = 1024;
inline constexpr std::int64_t key_package_life_ms_max = 90LL * 24 * 3600 * 1000;  // DECISIONS 14
inline constexpr std::int64_t row_time_bucket_ms = 2000;  // times of rows are rounded down to this
// Of a device's pool of so many regular key packages at least, half is what may be reserved or have
// been used up within drain_window_ms; then only the last resort is handed out (K5).
inline constexpr std::size_t drained_pool_min = 20;
inline constexpr std::int64_t drain_window_ms = 3'600'000;
inline constexpr std::int64_t reservation_ms = 5LL * 60 * 1000;           // DECISIONS 14
inline constexpr std::int64_t welcome_life_ms = 90LL * 24 * 3600 * 1000;  // DECISIONS 15

}  // namespace catbird::core
