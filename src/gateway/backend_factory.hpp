// Makes the backend that a route asks for. Each kind of backend is one case here and one folder of backends/.
#pragma once

#include <memory>
#include <string>

#include "base/expected.hpp"
#include "gateway/backend.hpp"
#include "gateway/worker_services.hpp"

namespace tollgate::gateway {

// `route` and `services` outlive the backend. The error is a sentence that names what could not be loaded.
expected<std::unique_ptr<Backend>, std::string> make_backend(const Route& route, WorkerServices& services);

}  // namespace tollgate::gateway
