// A route table with its backends made: what a worker serves with. A request holds a lease on the table it
// was matched in; the last lease frees backends, programs and directories, so an old table goes when its last
// request has ended.
//
// Threads: the worker's one; the leases are counted without locks.
#pragma once

#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/expected.hpp"
#include "base/unique_fd.hpp"
#include "gateway/backend.hpp"
#include "gateway/routing/route_table.hpp"
#include "gateway/worker_services.hpp"

namespace tollgate::gateway {

// What the routes of a table name by path, opened by the supervisor: workers open nothing by path.
struct TableResources {
  std::map<std::string, std::shared_ptr<sandbox::Program>> programs;  // by module path
  std::map<std::string, UniqueFd> directories;                        // by host path
  std::map<std::string, UniqueFd> modules;                            // by module_name()
};

// A route ready to serve.
struct LoadedRoute {
  const Route* route = nullptr;
  std::string name;
  std::vector<http::Field> fields;  // Route::headers
  std::unique_ptr<Backend> backend;
  const FixedResponse* fixed_response = nullptr;  // Backend::fixed_response
};

class LoadedTable : public boost::intrusive_ref_counter<LoadedTable, boost::thread_unsafe_counter> {
 public:
  // `services` outlive the table. The error is a sentence that names the route and what could not be loaded.
  static expected<boost::intrusive_ptr<const LoadedTable>, std::string> load(Config config,
                                                                             TableResources resources,
                                                                             WorkerServices& services);

  const RouteTable& table() const { return table_; }
  const LoadedRoute& route(std::uint32_t index) const { return routes_[index]; }
  std::size_t size() const { return routes_.size(); }

 private:
  LoadedTable(Config config, TableResources resources);

  Config config_;
  TableResources resources_;
  RouteTable table_;
  std::vector<LoadedRoute> routes_;
};

using TableLease = boost::intrusive_ptr<const LoadedTable>;

}  // namespace tollgate::gateway
