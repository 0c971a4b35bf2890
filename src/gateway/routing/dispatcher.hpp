// Takes each exchange to its route's backend and tells the observer how it went.
//
// In this order: route, or 404, 405 with Allow, or the answer to OPTIONS; quarantine; body limit;
// deadline; backend; the error response if the backend gave a reason instead of an answer; one record.
//
// What can be answered at once is answered without a coroutine; one frame serves all that waits.
//
// Threads: the worker's one. Outlives the server whose handler it is. No allocation of its own per request
// besides the coroutine frames, which Asio recycles.
#pragma once

#include "base/object_pool.hpp"
#include "gateway/routing/loaded_table.hpp"
#include "http/exchange.hpp"

namespace tollgate::gateway {

class Dispatcher final : public http::Handler {
 public:
  Dispatcher(WorkerServices& services, TableLease table) : services_(services), table_(std::move(table)) {}

  // Requests from now on are matched in this table; those in flight keep theirs.
  void use(TableLease table) { table_ = std::move(table); }

  Task<> handle(http::Exchange& exchange) override;
  void refused(const http::Reason& reason, std::string_view remote_address) override;

 private:
  class AnswerDeadline;

  // What the record tells of one request, whichever way it went.
  struct Ended {
    const LoadedRoute* route = nullptr;
    const http::Reason* reason = nullptr;
    const RequestContext* context = nullptr;
  };

  Task<> answer_fixed(http::Exchange& exchange, const LoadedRoute& route);
  Task<> send_fixed(http::Exchange& exchange, TableLease lease, const LoadedRoute& route);
  using Contexts = ObjectPool<RequestContext>;
  Task<> answer_by_backend(http::Exchange& exchange, const LoadedRoute& route,
                           std::string_view matched_prefix);
  Task<> finish(TableLease lease, const LoadedRoute& route, Contexts::Pointer context, Task<> rest);
  Task<> send_reason(RequestContext& context);
  Task<> answer_without_backend(http::Exchange& exchange, TableLease lease, const LoadedRoute* route,
                                const http::Reason& reason);
  Task<> answer_options(http::Exchange& exchange, TableLease lease);

  const http::Reason* why_not_served(const http::Request& request, const LoadedRoute& route) const;
  void record(const http::Exchange& exchange, const Ended& ended);

  static constexpr std::size_t idle_contexts_max = 64;

  WorkerServices& services_;
  TableLease table_;
  Contexts contexts_{idle_contexts_max};
};

}  // namespace tollgate::gateway
