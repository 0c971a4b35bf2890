// Memory that outlives a worker and that several processes see.
//
//   SharedCounts   one for the whole gateway, writable by every worker: the /state counter and, per route,
//   what is
//                  counted over all workers (running, queued) and whether the route is quarantined.
//   WorkerSegment  one per living worker, writable by that worker alone: what it holds of the shared counts,
//   which
//                  route's guest it is in, and its statistics rows (stats_row.hpp). The supervisor adds
//                  it to its totals when the worker ends, so that counters never go back.
//
// A route is found by its *slot*, a number the supervisor gives to a route's name for as long as it is
// configured; the table a worker receives names the slot of each route. Pages nobody touched cost nothing:
// read only slots in use. The supervisor maps segments read-only and believes none of their numbers. Threads:
// everything is a lock-free atomic.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/expected.hpp"
#include "base/unique_fd.hpp"

namespace tollgate::gateway {

// Routes of all tables that are in use at once. Address space, not memory: pages nobody touched cost nothing.
inline constexpr std::uint32_t route_slots_max = 16384;

// An anonymous file of fixed size, sealed so that no process can shrink it under another's mapping.
class SharedFile {
 public:
  static expected<SharedFile, std::string> create(const char* name, std::size_t bytes);
  static SharedFile adopt(UniqueFd fd, std::size_t bytes) { return SharedFile(std::move(fd), bytes); }

  int fd() const { return fd_.get(); }
  std::size_t bytes() const { return bytes_; }

  // Zeroes a part of it; used when a slot or a segment gets a new owner.
  [[nodiscard]] bool clear(std::size_t offset, std::size_t bytes) const;

 private:
  SharedFile(UniqueFd fd, std::size_t bytes) : fd_(std::move(fd)), bytes_(bytes) {}
  UniqueFd fd_;
  std::size_t bytes_;
};

enum class MapAccess : std::uint8_t { read_only, read_write };

class SharedMapping {
 public:
  SharedMapping() = default;
  static expected<SharedMapping, std::string> map(int fd, std::size_t bytes, MapAccess access);
  SharedMapping(SharedMapping&& other) noexcept;
  SharedMapping& operator=(SharedMapping&& other) noexcept;
  ~SharedMapping();

  void* data() const { return data_; }

 private:
  SharedMapping(void* data, std::size_t bytes) : data_(data), bytes_(bytes) {}
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

// Signed: a worker that is killed between counting its share and counting the whole leaves one too few.
struct RouteCount {
  std::atomic<std::int32_t> running{0};
  std::atomic<std::int32_t> queued{0};
};

struct SharedCounts {
  struct alignas(64) PerRoute {
    RouteCount all_workers;
    std::atomic<std::uint32_t> quarantined{0};  // 1: answer 503; set by the supervisor, lifted by a reload
  };
  alignas(64) std::atomic<std::uint64_t> state{0};  // native handler `state`
  PerRoute routes[route_slots_max];
};

// What a worker tells about itself; its statistics rows follow in the same segment.
struct WorkerMark {
  static constexpr std::uint32_t no_route = 0;
  // slot + 1 of the route whose guest is being run at this moment. If the worker crashes, this is the
  // suspect.
  alignas(64) std::atomic<std::uint32_t> entered_route{no_route};
  alignas(64) RouteCount shares[route_slots_max];  // how much of SharedCounts is this worker's
};

static_assert(std::atomic<std::uint64_t>::is_always_lock_free &&
              std::atomic<std::int32_t>::is_always_lock_free);

// Marks a route as the one whose guest runs, for the guard's life.
class EnteredRoute {
 public:
  EnteredRoute(WorkerMark& mark, std::uint32_t slot) : mark_(mark) {
    mark_.entered_route.store(slot + 1, std::memory_order_relaxed);
  }
  ~EnteredRoute() { mark_.entered_route.store(WorkerMark::no_route, std::memory_order_relaxed); }
  EnteredRoute(const EnteredRoute&) = delete;
  EnteredRoute& operator=(const EnteredRoute&) = delete;

 private:
  WorkerMark& mark_;
};

// One limit of one route, counted over all workers: `concurrent` over RouteCount::running or `queue` over
// queued. What is taken must be given back; if the worker dies first, the supervisor does it from the share.
class CountedLimit {
 public:
  CountedLimit(std::atomic<std::int32_t>& all_workers, std::atomic<std::int32_t>& share)
      : all_workers_(all_workers), share_(share) {}

  // False, and nothing taken, when `limit` are taken already. Never lets more than `limit` through.
  [[nodiscard]] bool try_take(std::uint32_t limit) {
    if (all_workers_.load(std::memory_order_relaxed) >= static_cast<std::int64_t>(limit)) return false;
    add_to_share(1);
    if (all_workers_.fetch_add(1, std::memory_order_acq_rel) < static_cast<std::int64_t>(limit)) return true;
    give_back();
    return false;
  }

  void give_back() {
    all_workers_.fetch_sub(1, std::memory_order_acq_rel);
    add_to_share(-1);
  }

 private:
  // Only this worker writes its share: a load and a store, no locked instruction.
  void add_to_share(std::int32_t change) {
    share_.store(share_.load(std::memory_order_relaxed) + change, std::memory_order_relaxed);
  }

  std::atomic<std::int32_t>& all_workers_;
  std::atomic<std::int32_t>& share_;
};

// After a worker's death: gives back what it held of the shared counts and tells the slot of the route whose
// guest it was in, if any. Believes no number that is out of range. The segment serves no other worker: it
// goes away.
std::optional<std::uint32_t> settle_after_death(SharedCounts& counts, const WorkerMark& mark);

}  // namespace tollgate::gateway
