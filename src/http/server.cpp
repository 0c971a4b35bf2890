#include "http/server.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "http/listener.hpp"

namespace tollgate::http {

Server::Server(EventLoop& loop, TimerWheel& wheel, Handler& handler, Log& log, const ServerLimits& limits)
    : loop_(loop), shared_(loop, wheel, handler, log, limits), drained_(loop) {
  drained_.expires_at(SteadyTime::max());
}

Server::~Server() = default;

bool Server::listen(UniqueFd listening) {
  auto listener = std::make_unique<Listener>(loop_, *this, shared_, std::move(listening));
  if (!listener->usable()) return false;
  ++accepting_;
  listener->start();
  listeners_.push_back(std::move(listener));
  return true;
}

void Server::share_with(SiblingServers& siblings) {
  siblings_ = &siblings;
  tell_siblings();
}

void Server::adopt(UniqueFd connected, const sockaddr_storage& remote, const Endpoint& local) {
  const bool shares = siblings_ != nullptr && !shared_.draining;
  if (shares && siblings_->give_away(connected.get(), shared_.counters.open)) return;
  serve(std::move(connected), remote, local);
}

bool Server::adopt_given(UniqueFd connected) {
  sockaddr_storage remote{};
  socklen_t size = sizeof remote;
  if (::getpeername(connected.get(), reinterpret_cast<sockaddr*>(&remote), &size) != 0) return false;
  if (remote.ss_family != AF_INET && remote.ss_family != AF_INET6) return false;
  const Endpoint local = local_endpoint(connected.get());
  serve(std::move(connected), remote, local);
  return true;
}

void Server::tell_siblings() {
  if (siblings_ != nullptr) siblings_->tell_open(shared_.counters.open);
}

void Server::serve(UniqueFd connected, const sockaddr_storage& remote, const Endpoint& local) {
  if (shared_.counters.open >= shared_.limits.connections_max && !make_room()) {
    refuse_at_cap(connected.get());
    return;
  }
  const Endpoint here = local.is_wildcard() ? local_endpoint(connected.get()) : local;
  auto connection =
      std::make_unique<Http1Connection>(shared_, *this, loop_, std::move(connected), Endpoint(remote), here);
  ++shared_.counters.accepted;
  ++shared_.counters.open;
  tell_siblings();
  open_.push_back(*connection);
  asio::co_spawn(loop_, Http1Connection::run(std::move(connection)), asio::detached);
}

// The longest idle connection goes; its client will open another when it needs one. One that does not read
// its answers would keep its place until the write timeout.
bool Server::make_room() {
  if (idle_.empty()) return false;
  ++shared_.counters.closed_for_room;
  Http1Connection& longest = idle_.front();
  idle_.pop_front();
  if (longest.waits_to_send()) {
    longest.cut();
  } else {
    longest.close_idle();
  }
  return true;
}

void Server::refuse_at_cap(int fd) {
  ++shared_.counters.refused_at_cap;
  const Reason& reason = reasons::too_many_connections;
  shared_.handler.refused(reason, {});
  const Field fields[] = {{"x-tollgate-error", reason.word}, {"Retry-After", "1"}};
  const ResponseHead head{reason.status, fields};
  std::string message;
  append_head(message, {.head = head,
                        .extra_fields = {},
                        .request_id = shared_.request_ids.next(),
                        .date_line = shared_.date.now(),
                        .framing = {BodyFraming::Kind::length, 0},
                        .persistence = Persistence::close});
  // As far as it goes: it may be reset before it is read, and then the closed connection says the same.
  static_cast<void>(::send(fd, message.data(), message.size(), MSG_DONTWAIT | MSG_NOSIGNAL));
}

void Server::ended(Http1Connection&) {
  --shared_.counters.open;
  tell_siblings();
  ++shared_.counters.closed;
  if (std::exchange(retries_when_closed_, false)) {
    for (const auto& listener : listeners_) listener->retry_now();
  }
  drained_.cancel();
}

void Server::stopped_accepting() {
  --accepting_;
  drained_.cancel();
}

void Server::drain() {
  if (shared_.draining) {
    for (Http1Connection& connection : open_) connection.cut();
    return;
  }
  shared_.draining = true;
  for (const auto& listener : listeners_) listener->stop();
  shared_.wheel.arm_after(drain_grace_, shared_.limits.drain_grace);
}

void Server::close_idle(void* self) {
  auto& server = *static_cast<Server*>(self);
  server.shared_.closes_idle = true;
  for (Http1Connection& connection : server.idle_) connection.close_idle();
}

Task<> Server::drained() {
  while (!shared_.draining || accepting_ > 0 || shared_.counters.open > 0) {
    const auto [ignored] = co_await drained_.async_wait(use_task_tuple);
    static_cast<void>(ignored);
  }
}

}  // namespace tollgate::http
