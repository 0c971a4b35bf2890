#include "gateway/process/shared_segments.hpp"

#include <cstddef>

namespace tollgate::gateway {

expected<SharedCountsSegment, std::string> SharedCountsSegment::create() {
  auto file = SharedFile::create("tollgate-counts", sizeof(SharedCounts));
  if (!file) return unexpected(file.error());
  auto mapping = SharedMapping::map(file->fd(), file->bytes(), MapAccess::read_write);
  if (!mapping) return unexpected(mapping.error());
  return SharedCountsSegment(std::move(*file), std::move(*mapping));
}

expected<WorkerSegments, std::string> WorkerSegments::create() {
  auto mark_file = SharedFile::create("tollgate-mark", sizeof(WorkerMark));
  if (!mark_file) return unexpected(mark_file.error());
  auto stats_file = SharedFile::create("tollgate-stats", sizeof(StatsSegment));
  if (!stats_file) return unexpected(stats_file.error());
  auto mark = SharedMapping::map(mark_file->fd(), mark_file->bytes(), MapAccess::read_only);
  if (!mark) return unexpected(mark.error());
  auto stats = SharedMapping::map(stats_file->fd(), stats_file->bytes(), MapAccess::read_only);
  if (!stats) return unexpected(stats.error());
  return WorkerSegments(std::move(*mark_file), std::move(*stats_file), std::move(*mark), std::move(*stats));
}

void WorkerSegments::clear_row(std::uint32_t slot) const {
  const std::size_t rows_at = offsetof(StatsSegment, routes);
  // Fails only for want of memory, and then the new owner's counters start higher than zero.
  [[maybe_unused]] const bool cleared =
      stats_file_.clear(rows_at + slot * sizeof(RouteRow), sizeof(RouteRow));
}

}  // namespace tollgate::gateway
