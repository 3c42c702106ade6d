// SPDX-License-Identifier: MIT
#pragma once

#include "crash/recording_vfs.hpp"

#include <cstddef>
#include <map>
#include <random>
#include <string>

namespace catbird::crash {

using Random = std::mt19937_64;
inline std::uint64_t pick(Random& random, std::uint64_t below) { return random() % below; }

/// The files that are on the disk after a power cut, by name.
using Image = std::map<std::string, Bytes>;

/// The disk as a power cut may leave it after the first `at` operations. What was synced is there.
/// Of everything later each 512-byte sector is by itself there, not there, or torn, in any order; a
/// file may have grown without its bytes; new names and removals may be lost.
Image cut_power(const Recording& recording, std::size_t at, Random& random);

}  // namespace catbird::crash
