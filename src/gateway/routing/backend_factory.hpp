// Makes the backend that a route asks for. Each kind of backend is one case here.
#pragma once

#include <memory>
#include <string>

#include "base/expected.hpp"
#include "gateway/backend.hpp"
#include "gateway/routing/loaded_table.hpp"
#include "gateway/worker_services.hpp"

namespace tollgate::gateway {

// `route`, `resources` and `services` outlive the backend. The error is a sentence that names what could not
// be loaded; the caller names the route.
expected<std::unique_ptr<Backend>, std::string> make_backend(const Route& route,
                                                             const TableResources& resources,
                                                             WorkerServices& services);

}  // namespace tollgate::gateway
