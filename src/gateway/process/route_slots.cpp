#include "gateway/process/route_slots.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace tollgate::gateway {

expected<std::vector<RouteSlots::Reused>, std::string> RouteSlots::assign(std::vector<Route>& routes,
                                                                          std::span<const Route> serving) {
  ++assignments_;
  for (const Route& route : serving) {
    if (const auto owner = owners_.find(route.name()); owner != owners_.end())
      owner->second.last_used = assignments_;
  }
  std::vector<Route*> homeless;
  for (Route& route : routes) {
    const auto owner = owners_.find(route.name());
    if (owner == owners_.end()) {
      homeless.push_back(&route);
      continue;
    }
    owner->second.last_used = assignments_;
    route.slot = owner->second.slot;
  }

  std::vector<std::map<std::string, Owner>::iterator> gone;
  if (homeless.size() > slots_max_ - used_) {
    for (auto owner = owners_.begin(); owner != owners_.end(); ++owner) {
      if (owner->second.last_used < assignments_) gone.push_back(owner);
    }
    std::sort(gone.begin(), gone.end(),
              [](const auto& a, const auto& b) { return a->second.last_used < b->second.last_used; });
  }
  const std::size_t room = slots_max_ - used_ + gone.size();
  if (homeless.size() > room) {
    return unexpected(fmt::format("{} routes are new, but beside those that serve there is room for {} only",
                                  homeless.size(), room));
  }

  std::vector<Reused> reused;
  auto next_gone = gone.begin();
  for (Route* route : homeless) {
    std::uint32_t slot = 0;
    if (used_ < slots_max_) {
      slot = used_++;
    } else {
      const auto previous = *next_gone++;
      slot = previous->second.slot;
      reused.push_back({slot, previous->first});
      owners_.erase(previous);
    }
    owners_.emplace(route->name(), Owner{slot, assignments_});
    route->slot = slot;
  }
  return reused;
}

std::vector<NamedSlot> RouteSlots::all() const {
  std::vector<NamedSlot> slots;
  slots.reserve(owners_.size());
  for (const auto& [name, owner] : owners_) slots.push_back({name, owner.slot});
  return slots;
}

}  // namespace tollgate::gateway
