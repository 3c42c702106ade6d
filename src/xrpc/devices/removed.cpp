// SPDX-License-Identifier: MIT
#include "xrpc/devices/removed.hpp"

#include "xrpc/ask.hpp"
#include "xrpc/devices/registration.hpp"
#include "xrpc/services.hpp"

#include <utility>
#include <vector>

namespace catbird::xrpc {

Task<Result<void>> end_removed_devices(Services* services) {
  auto listening = services->hub.devices();
  if (listening.empty()) co_return {};
  using Known = std::vector<std::pair<core::Caller, bool>>;
  auto reading = read<Known>(
      services, [listening = std::move(listening)](storage::Reader& reader) -> Result<Known> {
        Known known;
        known.reserve(listening.size());
        for (const auto& device : listening) {
          auto found = find_device(reader.tables(), device);
          if (!found) return std::unexpected(found.error());
          known.emplace_back(device, found->has_value());
        }
        return known;
      });
  auto known = co_await reading;
  if (!known) co_return std::unexpected(known.error());
  services->hub.check_devices(*known);
  co_return {};
}

}  // namespace catbird::xrpc
