// SPDX-License-Identifier: MIT
#include "xrpc/key_packages/low_stock.hpp"

#include "core/limits.hpp"
#include "xrpc/ask.hpp"
#include "xrpc/services.hpp"

#include <algorithm>
#include <utility>

namespace catbird::xrpc {

Task<Result<void>> tell_low_stock(Services* services,
                                  const std::vector<storage::ReservedKeyPackage>* given) {
  using Owners = std::vector<core::Caller>;
  Owners listening;
  for (const auto& package : *given) {
    core::Caller owner{package.user, package.device};
    if (services->hub.is_listening(owner)) listening.push_back(std::move(owner));
  }
  if (listening.empty()) co_return {};
  auto reading = read<Owners>(
      services,
      [listening = std::move(listening),
       now = services->clock.now()](storage::Reader& reader) -> Result<Owners> {
        Owners low;
        for (const auto& owner : listening) {
          storage::PackageQuery query;
          query.user = owner.user;
          query.device = owner.device;
          query.now = now;
          auto packages = reader.packages(query);
          if (!packages) return std::unexpected(packages.error());
          const auto left = std::ranges::count_if(
              *packages, [](const auto& one) { return !one.reserved && !one.last_resort; });
          if (std::cmp_less(left, core::key_packages_low)) low.push_back(owner);
        }
        return low;
      });
  auto low = co_await reading;
  if (!low) co_return std::unexpected(low.error());
  for (const auto& owner : *low) services->hub.tell_low_stock(owner);
  co_return {};
}

}  // namespace catbird::xrpc
