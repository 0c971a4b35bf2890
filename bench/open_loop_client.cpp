#include "bench/open_loop_client.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>

#include "bench/http_client.hpp"

namespace tollgate::bench {
namespace {

using std::chrono::nanoseconds;

constexpr std::uint64_t epoll_events_max = 64;

double milliseconds(Clock::duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

class OpenLoopRun {
 public:
  OpenLoopRun(std::uint16_t port, const OpenLoop& load)
      : port_(port),
        load_(load),
        request_(fmt::format("GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n", load.target)),
        total_(static_cast<std::uint64_t>(load.requests_per_second *
                                          std::chrono::duration<double>(load.duration).count())),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}

  OpenLoopResult run() {
    start_ = Clock::now() + std::chrono::milliseconds(10);
    const auto end = arrival(total_) + load_.settle;
    std::uint64_t next = 0;
    while (next < total_ || answered_ + result_.failed < total_) {
      const auto now = Clock::now();
      if (now >= end) break;
      while (next < total_ && arrival(next) <= now) send(arrival(next++));
      wait_until(next < total_ ? arrival(next) : end);
    }
    result_.failed = total_ - answered_;
    std::sort(result_.latencies_ms.begin(), result_.latencies_ms.end());
    return std::move(result_);
  }

 private:
  struct Connection {
    UniqueFd socket;
    Clock::time_point intended;
    std::string received;
    bool busy = false;
  };

  Clock::time_point arrival(std::uint64_t index) const {
    return start_ + std::chrono::duration_cast<nanoseconds>(std::chrono::duration<double>(
                        static_cast<double>(index) / load_.requests_per_second));
  }

  void send(Clock::time_point intended) {
    Connection* const connection = idle_connection();
    if (connection == nullptr) {
      ++result_.failed;
      return;
    }
    connection->intended = intended;
    connection->busy = true;
    result_.worst_send_delay_ms =
        std::max(result_.worst_send_delay_ms, milliseconds(Clock::now() - intended));
    const ssize_t sent = ::send(connection->socket.get(), request_.data(), request_.size(), MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(request_.size())) fail(*connection);
  }

  Connection* idle_connection() {
    if (!idle_.empty()) {
      Connection* const connection = idle_.back();
      idle_.pop_back();
      return connection;
    }
    if (connections_.size() >= connections_max) return nullptr;
    auto connection = std::make_unique<Connection>();
    connection->socket = HttpClient::try_connect(port_);  // loopback: done at once
    if (!connection->socket) return nullptr;
    ::fcntl(connection->socket.get(), F_SETFL, O_NONBLOCK);
    epoll_event event{.events = EPOLLIN, .data = {.ptr = connection.get()}};
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, connection->socket.get(), &event);
    connections_.push_back(std::move(connection));
    return connections_.back().get();
  }

  void wait_until(Clock::time_point until) {
    const auto left = std::max<nanoseconds>(until - Clock::now(), nanoseconds(0));
    const timespec timeout{.tv_sec = left.count() / 1'000'000'000, .tv_nsec = left.count() % 1'000'000'000};
    epoll_event events[epoll_events_max];
    const int ready = ::epoll_pwait2(epoll_.get(), events, epoll_events_max, &timeout, nullptr);
    for (int i = 0; i < ready; ++i) receive(*static_cast<Connection*>(events[i].data.ptr));
  }

  void receive(Connection& connection) {
    char piece[16384];
    const ssize_t count = ::recv(connection.socket.get(), piece, sizeof piece, 0);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) return fail(connection);
    connection.received.append(piece, static_cast<std::size_t>(count));
    const std::size_t length = complete_response(connection.received);
    if (length == 0) return;
    if (std::atoi(connection.received.c_str() + sizeof "HTTP/1.1") == 200) {
      result_.latencies_ms.push_back(milliseconds(Clock::now() - connection.intended));
      ++answered_;
    } else {
      ++result_.failed;
    }
    connection.received.erase(0, length);
    connection.busy = false;
    idle_.push_back(&connection);
  }

  // Counts only a request that was under way; the connection is not used again.
  void fail(Connection& connection) {
    result_.failed += connection.busy ? 1 : 0;
    connection.busy = false;
    std::erase(idle_, &connection);
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, connection.socket.get(), nullptr);
    connection.socket.reset();
  }

  std::uint16_t port_;
  const OpenLoop& load_;
  std::string request_;
  std::uint64_t total_;
  UniqueFd epoll_;
  Clock::time_point start_;
  std::uint64_t answered_ = 0;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<Connection*> idle_;
  OpenLoopResult result_;
};

}  // namespace

OpenLoopResult run_open_loop(std::uint16_t port, const OpenLoop& load) {
  return OpenLoopRun(port, load).run();
}

}  // namespace tollgate::bench
