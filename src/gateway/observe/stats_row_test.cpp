#include "gateway/observe/stats_row.hpp"

#include <gtest/gtest.h>

#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace tollgate::gateway {
namespace {

using Counts = std::map<std::pair<int, std::string>, std::uint64_t>;

Counts read(const OutcomeTable& table) {
  Counts counts;
  table.for_each([&counts](int status, std::string_view word, std::uint64_t count) {
    counts[{status, std::string(word)}] += count;
  });
  return counts;
}

// What a table tells that has counted these.
Counts counted(std::initializer_list<std::pair<int, std::string_view>> outcomes) {
  OutcomeTable table;
  for (const auto& [status, word] : outcomes) table.add(table.entry(status, word));
  return read(table);
}

TEST(OutcomeTable, counts_by_status_and_word) {
  const Counts expected{{{200, "ok"}, 2}, {{404, "ok"}, 1}, {{504, "deadline"}, 1}};
  EXPECT_EQ(counted({{200, "ok"}, {200, "ok"}, {404, "ok"}, {504, "deadline"}}), expected);
}

TEST(OutcomeTable, stays_bounded_whatever_statuses_a_guest_invents) {
  OutcomeTable table;
  for (int status = 100; status < 600; ++status) table.add(table.entry(status, "ok"));
  const Counts counts = read(table);
  EXPECT_EQ(counts.size(), OutcomeTable::entries_max);
  EXPECT_EQ(counts.at({0, "other"}), 500 - (OutcomeTable::entries_max - 1));
}

TEST(OutcomeTable, gives_a_reader_no_bytes_that_are_not_a_word) {
  const Counts expected{{{0, "other"}, 2}};
  EXPECT_EQ(counted({{200, "ok\"} 1\n"}, {200, ""}}), expected);
}

TEST(OutcomeTable, cuts_a_word_that_is_too_long) {
  constexpr std::string_view long_word = "a_word_of_more_than_twenty_one_bytes";
  const Counts expected{{{500, "a_word_of_more_than_t"}, 2}};
  EXPECT_EQ(counted({{500, long_word}, {500, long_word}}), expected);
}

TEST(StatsSegment, takes_any_number_for_a_slot) {
  auto segment = std::make_unique<StatsSegment>();
  segment->route(4'000'000'000u).request_bytes.add(1);
  EXPECT_EQ(segment->unrouted.request_bytes.get(), 1u);
}

}  // namespace
}  // namespace tollgate::gateway
