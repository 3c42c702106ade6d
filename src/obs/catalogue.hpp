// SPDX-License-Identifier: MIT
#pragma once

#include "obs/metrics.hpp"

namespace catbird::obs {

/// Puts every family of the predecessor's page onto ours, at zero: a family without a member does
/// not appear at all in the text format, so each is created with its default-labelled member.
/// Call once at start. Conversation labels are never created here.
void describe_families(Metrics& metrics);

}  // namespace catbird::obs
