#include "http/client_pool.hpp"

#include <algorithm>
#include <utility>

#include "http/client_limits.hpp"

namespace tollgate::http {

ClientPool::~ClientPool() {
  keep_only({});
}

std::shared_ptr<ClientConnection> ClientPool::take(Check check) {
  while (!idle_.empty()) {
    std::shared_ptr<ClientConnection> connection = std::move(idle_.back());
    idle_.pop_back();
    connection->leave_idle();
    if (check == Check::none || connection->looks_alive()) return connection;
    connection->close();
  }
  return nullptr;
}

std::shared_ptr<ClientConnection> ClientPool::make() {
  return std::make_shared<ClientConnection>(executor_, wheel_);
}

void ClientPool::give_back(std::shared_ptr<ClientConnection> connection) {
  if (!connection->reusable() || idle_.size() == client_limits::idle_connections_max) {
    connection->close();
    return;
  }
  connection->enter_idle(*this, std::chrono::steady_clock::now() + client_limits::idle_max);
  idle_.push_back(std::move(connection));
}

void ClientPool::keep_only(std::span<const ClientConnection::Endpoint> endpoints) {
  std::erase_if(idle_, [endpoints](const std::shared_ptr<ClientConnection>& connection) {
    if (std::find(endpoints.begin(), endpoints.end(), connection->endpoint()) != endpoints.end())
      return false;
    connection->leave_idle();
    connection->close();
    return true;
  });
}

// Called by an idle connection on which something arrived, or whose time is up.
void ClientPool::forget(ClientConnection& connection) {
  const auto found = std::find_if(idle_.rbegin(), idle_.rend(),
                                  [&connection](const auto& idle) { return idle.get() == &connection; });
  if (found == idle_.rend()) return;
  const std::shared_ptr<ClientConnection> last = std::move(*found);
  idle_.erase(std::next(found).base());
  last->leave_idle();
  last->close();
}

}  // namespace tollgate::http
