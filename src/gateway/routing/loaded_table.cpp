#include "gateway/routing/loaded_table.hpp"

#include "gateway/routing/backend_factory.hpp"

namespace tollgate::gateway {

LoadedTable::LoadedTable(Config config, TableResources resources)
    : config_(std::move(config)), resources_(std::move(resources)), table_(config_.routes) {}

expected<TableLease, std::string> LoadedTable::load(Config config, TableResources resources,
                                                    WorkerServices& services) {
  const boost::intrusive_ptr<LoadedTable> loaded(new LoadedTable(std::move(config), std::move(resources)));
  loaded->routes_.reserve(loaded->config_.routes.size());
  for (const Route& route : loaded->config_.routes) {
    auto backend = make_backend(route, loaded->resources_, services);
    if (!backend) return unexpected("route " + route.name() + ": " + backend.error());
    LoadedRoute entry;
    entry.route = &route;
    entry.name = route.name();
    for (const auto& [name, value] : route.headers) entry.fields.push_back({name, value});
    entry.backend = *std::move(backend);
    entry.fixed_response = entry.backend->fixed_response();
    loaded->routes_.push_back(std::move(entry));
  }
  return TableLease(loaded);
}

}  // namespace tollgate::gateway
