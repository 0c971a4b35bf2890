// The layout of what a worker counts, in memory that the supervisor shares with it (gateway/shared_memory.hpp
// makes the segments and passes them).
//
// One StatsSegment per worker process. Only that worker maps it writable and writes it, with plain stores;
// the supervisor reads it as untrusted numbers, also after the worker has died. Zero bytes are a valid start:
// a segment is used as it is mapped, never constructed (that would touch every page).
//
// A row belongs to a route's slot, and so to its *name*: its numbers go on over reloads. Before a slot gets
// another name or a segment is dropped, the supervisor adds what they hold to what it retains
// (stats_totals.hpp). So counters never fall, whatever is reloaded or dies.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/counter.hpp"
#include "base/histogram.hpp"
#include "gateway/shared_memory.hpp"

namespace tollgate::gateway {

// Requests by status and outcome word ("ok", or the word of an http::Reason). A fixed number of combinations,
// so that no client and no guest can make the metrics grow: what does not fit is counted in the last entry.
class OutcomeTable {
 public:
  static constexpr std::size_t entries_max = 48;
  static constexpr std::size_t word_bytes_max = 21;
  static constexpr std::size_t other = entries_max - 1;  // status 0, word "other"

  // Only for the writer: the entry of this combination, made when it is new.
  std::size_t entry(int status, std::string_view word) {
    word = word.substr(0, word_bytes_max);
    for (std::size_t i = 0; i < other; ++i) {
      Entry& entry = entries_[i];
      if (entry.count.load(std::memory_order_relaxed) == 0) {
        entry.status = static_cast<std::uint16_t>(status);
        std::memset(entry.word, 0, sizeof entry.word);
        std::memcpy(entry.word, word.data(), word.size());
        return i;
      }
      if (entry.status == status && entry_word(entry) == word) return i;
    }
    return other;
  }

  // Only for the writer. An entry is visible from its first count on; call right after entry().
  void add(std::size_t entry) {
    std::atomic<std::uint64_t>& count = entries_[entry].count;
    count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }

  // For readers: each(status, word, count). Words with other bytes than [a-z0-9_] and statuses that are none
  // are reported as other: the writer is not trusted.
  template <class Each>
  void for_each(Each&& each) const {
    for (std::size_t i = 0; i < entries_max; ++i) {
      const Entry& shared = entries_[i];
      const std::uint64_t count = shared.count.load(std::memory_order_acquire);
      if (count == 0) continue;
      char copy[sizeof shared.word];
      std::memcpy(copy, shared.word, sizeof copy);
      const int status = shared.status;
      const std::string_view word(copy, strnlen(copy, sizeof copy));
      if (i == other || !plausible(status, word)) {
        each(0, std::string_view("other"), count);
      } else {
        each(status, word, count);
      }
    }
  }

 private:
  struct Entry {
    std::atomic<std::uint64_t> count;
    std::uint16_t status;
    char word[word_bytes_max + 1];
  };
  static_assert(sizeof(Entry) == 32);

  static std::string_view entry_word(const Entry& entry) {
    return {entry.word, strnlen(entry.word, sizeof entry.word)};
  }
  static bool plausible(int status, std::string_view word) {
    return status >= 0 && status <= 999 && !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
             return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
           });
  }

  std::array<Entry, entries_max> entries_{};
};

// What one worker counts for one route. Durations are in nanoseconds.
struct RouteRow {
  OutcomeTable requests;  // their sum is the number of requests ended
  Counter request_bytes;  // bodies only
  Counter response_bytes;
  DurationHistogram queue;    // waited for admission
  DurationHistogram handler;  // worked on by the backend
  DurationHistogram total;    // from the whole head to the end of the response

  // Guests, of `wasm` and of `transform`.
  Gauge sandboxes_active;
  Gauge sandboxes_max;  // the highest sandboxes_active of this worker's life
  DurationHistogram guest_instantiate;
  DurationHistogram guest_run;
  DurationHistogram guest_teardown;
  Counter guest_cpu_ns;
  CountHistogram guest_hot_pages;  // pages of 4 KiB

  // Spawned programs, of `spawn`, of other runtimes and of `transform`.
  DurationHistogram program_run;
  Counter program_cpu_ns;
  Gauge program_memory_peak_bytes;  // the most any one process had resident

  // Upstreams.
  Counter upstream_connects;  // new connections, also those that failed
  Counter upstream_reuses;    // requests sent over a pooled one
  Counter upstream_retries;   // sent again because a pooled connection had died
  Counter upstream_failures;  // requests that ended as 502 or 504
};

// What one worker counts as a whole.
struct WorkerRow {
  Counter connections_accepted;
  Counter connections_closed;     // accepted - closed are open
  Counter connections_rejected;   // over the connection cap, or out of descriptors
  Counter connections_timed_out;  // idle, or too slow with a head, a body or taking a response
  Counter log_lines_dropped;
  DurationHistogram loop_delay;  // how late a timer of the event loop ran
};

struct StatsSegment {
  WorkerRow worker;
  RouteRow unrouted;  // requests that no route took: 404, 405, and those refused before they had a route
  std::array<RouteRow, route_slots_max> routes;

  // A slot from elsewhere may be any number.
  RouteRow& route(std::uint32_t slot) { return slot < routes.size() ? routes[slot] : unrouted; }
  const RouteRow& route(std::uint32_t slot) const { return slot < routes.size() ? routes[slot] : unrouted; }
};

}  // namespace tollgate::gateway
