// Work that blocks (reading files, compiling in a child), kept off the event loop. The thread exists only
// meanwhile: a gateway at rest has none.
#pragma once

#include <boost/asio/post.hpp>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>

#include "base/async.hpp"

namespace tollgate::gateway {

// `work` must not throw and must touch nothing the loop uses meanwhile. The loop must not have the UNSAFE
// hint.
template <class Work>
Task<std::invoke_result_t<Work&>> run_in_thread(EventLoop& loop, Work work) {
  std::optional<std::invoke_result_t<Work&>> result;
  SteadyTimer finished(loop, SteadyTimer::time_point::max());
  std::thread thread([&loop, &work, &result, &finished] {
    result.emplace(work());
    asio::post(loop, [&finished] { finished.cancel(); });
  });
  co_await finished.async_wait(use_task_tuple);
  thread.join();
  co_return std::move(*result);
}

}  // namespace tollgate::gateway
