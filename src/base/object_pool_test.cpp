#include "base/object_pool.hpp"

#include <gtest/gtest.h>

#include <string>

namespace tollgate {
namespace {

struct Counted {
  explicit Counted(int& count) : alive(count) { ++alive; }
  ~Counted() { --alive; }
  int& alive;
  std::string content = "as it is made";
};

TEST(ObjectPool, makes_each_object_anew_in_the_storage_of_the_last) {
  int alive = 0;
  ObjectPool<Counted> pool(1);
  auto first = pool.make(alive);
  const Counted* const place = first.get();
  first->content = "changed";
  first.reset();
  EXPECT_EQ(alive, 0);

  const auto second = pool.make(alive);
  EXPECT_EQ(second.get(), place);
  EXPECT_EQ(second->content, "as it is made");
}

TEST(ObjectPool, objects_beyond_the_idle_ones_it_keeps_are_freed) {
  int alive = 0;
  ObjectPool<Counted> pool(1);
  auto first = pool.make(alive);
  auto second = pool.make(alive);
  EXPECT_NE(first.get(), second.get());
  EXPECT_EQ(alive, 2);
  first.reset();
  second.reset();
  EXPECT_EQ(alive, 0);
}

}  // namespace
}  // namespace tollgate
