#include "gateway/process/admin_server.hpp"

#include <utility>

#include "gateway/process/limits.hpp"
#include "gateway/process/listeners.hpp"

namespace tollgate::gateway {
namespace {

http::ServerLimits admin_limits() {
  http::ServerLimits limits;
  limits.connections_max = admin_connections_max;
  return limits;
}

}  // namespace

AdminServer::AdminServer(EventLoop& loop, const AdminSource& source, Log& log)
    : wheel_(loop), admin_(source), server_(loop, wheel_, admin_, log, admin_limits()) {}

expected<std::unique_ptr<AdminServer>, std::string> AdminServer::open(EventLoop& loop,
                                                                      const AdminSource& source, Log& log,
                                                                      const std::string& address) {
  auto listener = listen_alone(address);
  if (!listener) return unexpected("admin: " + listener.error());
  auto opened = std::make_unique<AdminServer>(loop, source, log);
  opened->address_ = bound_address(listener->get());
  if (!opened->server_.listen(std::move(*listener))) return unexpected("admin: cannot accept on " + address);
  return opened;
}

Task<> AdminServer::close() {
  server_.drain();
  server_.drain();  // nobody waits for a metrics page
  co_await server_.drained();
}

}  // namespace tollgate::gateway
