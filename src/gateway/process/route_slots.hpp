// Which place in shared memory belongs to which route. A slot goes with the route's name over reloads, so
// that its counters and its running count go on; a name that is gone from the configuration keeps its slot
// until others need it, the longest gone first.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/expected.hpp"
#include "gateway/config/config.hpp"
#include "gateway/observe/stats_totals.hpp"
#include "gateway/shared_memory.hpp"

namespace tollgate::gateway {

class RouteSlots {
 public:
  explicit RouteSlots(std::uint32_t slots_max = route_slots_max) : slots_max_(slots_max) {}

  // A slot that has a new owner: what the old one left there is to be retained and cleared.
  struct Reused {
    std::uint32_t slot;
    std::string previous;
  };

  // Sets Route::slot of every route of a table that is about to be offered. The slots of the table that
  // serves meanwhile are not touched.
  expected<std::vector<Reused>, std::string> assign(std::vector<Route>& routes,
                                                    std::span<const Route> serving);

  // Every name that has a slot, also of routes that are gone.
  std::vector<NamedSlot> all() const;

 private:
  struct Owner {
    std::uint32_t slot;
    std::uint64_t last_used;  // number of the assignment
  };
  std::uint32_t slots_max_;
  std::uint32_t used_ = 0;
  std::uint64_t assignments_ = 0;
  std::map<std::string, Owner> owners_;
};

}  // namespace tollgate::gateway
