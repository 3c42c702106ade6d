// SPDX-License-Identifier: MIT
#pragma once

#include "social/blocks.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

// The texts that the block lists are made of, read. Pure; all fail with bluesky_unavailable.

namespace catbird::social {

/// scheme://host[:port] of the user's data server (service `#atproto_pds`); nothing if the document
/// names none: such a user has no records.
Result<std::optional<std::string>> data_server_of(std::string_view document, std::string_view did);

/// com.atproto.repo.listRecords of `app.bsky.graph.block`.
std::string block_page_url(std::string_view server, std::string_view did, std::string_view cursor);

struct BlockPage {
  std::vector<Block> blocks;
  std::string cursor;  // empty: the last page
};
/// What is no block record of `did` is left out.
Result<BlockPage> read_block_page(std::string_view json, std::string_view did);

/// Whether a refusal says that there is no such repository (any more).
bool says_no_repository(std::string_view json);

}  // namespace catbird::social
