#include "gateway/process/route_slots.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "gateway/config/config_reader.hpp"

namespace tollgate::gateway {
namespace {

std::vector<Route> routes(const std::vector<std::string>& paths) {
  std::vector<Route> made;
  for (const std::string& path : paths) made.emplace_back().path = path;
  return made;
}

// The name whose slot a new table takes over, which must be one.
std::string only_one_taken_by(RouteSlots& slots, std::vector<Route>& table,
                              const std::vector<Route>& serving) {
  const auto reused = slots.assign(table, serving);
  if (!reused || reused->size() != 1) return "not one";
  return reused->front().previous;
}

TEST(RouteSlots, every_route_of_a_table_has_its_own) {
  RouteSlots slots;
  auto table = routes({"/a", "/b", "/c"});
  ASSERT_TRUE(slots.assign(table, {}));
  EXPECT_EQ(std::set({table[0].slot, table[1].slot, table[2].slot}).size(), 3u);
}

TEST(RouteSlots, a_name_keeps_its_slot_over_reloads_also_when_it_was_away) {
  RouteSlots slots;
  auto first = routes({"/a", "/b"});
  auto second = routes({"/c"});
  auto third = routes({"/b", "/c", "/a"});
  ASSERT_TRUE(slots.assign(first, {}));
  ASSERT_TRUE(slots.assign(second, first));
  ASSERT_TRUE(slots.assign(third, second));
  EXPECT_EQ(third[2].slot, first[0].slot);
  EXPECT_EQ(third[0].slot, first[1].slot);
  EXPECT_EQ(third[1].slot, second[0].slot);
}

TEST(RouteSlots, takes_the_longest_gone_when_all_are_used) {
  RouteSlots slots(3);
  auto first = routes({"/a"});
  auto second = routes({"/b"});
  auto third = routes({"/c"});
  auto fourth = routes({"/d"});
  ASSERT_TRUE(slots.assign(first, {}));
  ASSERT_TRUE(slots.assign(second, first));
  ASSERT_TRUE(slots.assign(third, second));
  EXPECT_EQ(only_one_taken_by(slots, fourth, third), "/a");
  EXPECT_EQ(fourth[0].slot, first[0].slot);
}

TEST(RouteSlots, never_takes_one_of_the_table_that_serves) {
  RouteSlots slots(2);
  auto first = routes({"/a", "/b"});
  auto second = routes({"/c"});
  ASSERT_TRUE(slots.assign(first, {}));
  EXPECT_FALSE(slots.assign(second, first));
}

TEST(RouteSlots, the_largest_table_can_be_replaced_by_one_of_other_names) {
  RouteSlots slots;
  std::vector<Route> first(routes_max);
  std::vector<Route> second(routes_max);
  for (std::size_t i = 0; i < routes_max; ++i) {
    first[i].path = "/first/" + std::to_string(i);
    second[i].path = "/second/" + std::to_string(i);
  }
  ASSERT_TRUE(slots.assign(first, {}));
  EXPECT_TRUE(slots.assign(second, first));
}

TEST(RouteSlots, tables_that_were_refused_do_not_age_the_one_that_serves) {
  RouteSlots slots(3);
  auto serving = routes({"/a"});
  auto refused = routes({"/b"});
  auto refused_too = routes({"/c"});
  auto next = routes({"/d"});
  ASSERT_TRUE(slots.assign(serving, {}));
  ASSERT_TRUE(slots.assign(refused, serving));
  ASSERT_TRUE(slots.assign(refused_too, serving));
  EXPECT_EQ(only_one_taken_by(slots, next, serving), "/b");
}

}  // namespace
}  // namespace tollgate::gateway
