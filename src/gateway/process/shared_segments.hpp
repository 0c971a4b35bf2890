// The supervisor's side of shared memory: makes the segments a worker gets, and settles them when it has
// ended.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/expected.hpp"
#include "gateway/observe/stats_row.hpp"
#include "gateway/shared_memory.hpp"

namespace tollgate::gateway {

// The part all workers share; one per supervisor.
class SharedCountsSegment {
 public:
  static expected<SharedCountsSegment, std::string> create();
  int fd() const { return file_.fd(); }
  SharedCounts& counts() const { return *static_cast<SharedCounts*>(mapping_.data()); }

 private:
  SharedCountsSegment(SharedFile file, SharedMapping mapping)
      : file_(std::move(file)), mapping_(std::move(mapping)) {}
  SharedFile file_;
  SharedMapping mapping_;
};

// One worker's own. The supervisor reads it and can give slots in it to new owners.
class WorkerSegments {
 public:
  static expected<WorkerSegments, std::string> create();
  int mark_fd() const { return mark_file_.fd(); }
  int stats_fd() const { return stats_file_.fd(); }
  const WorkerMark& mark() const { return *static_cast<const WorkerMark*>(mark_.data()); }
  const StatsSegment& stats() const { return *static_cast<const StatsSegment*>(stats_.data()); }

  // Zeroes a slot's row: its next owner starts at nothing.
  void clear_row(std::uint32_t slot) const;

 private:
  WorkerSegments(SharedFile mark_file, SharedFile stats_file, SharedMapping mark, SharedMapping stats)
      : mark_file_(std::move(mark_file)),
        stats_file_(std::move(stats_file)),
        mark_(std::move(mark)),
        stats_(std::move(stats)) {}
  SharedFile mark_file_;
  SharedFile stats_file_;
  SharedMapping mark_;
  SharedMapping stats_;
};

}  // namespace tollgate::gateway
