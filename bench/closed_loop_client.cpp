#include "bench/closed_loop_client.hpp"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdlib>
#include <future>
#include <iterator>
#include <stdexcept>

#include "bench/http_client.hpp"

namespace tollgate::bench {
namespace {

constexpr int epoll_events_max = 64;
constexpr int answer_time_max_ms = 30'000;

std::string request_of(const Load& load) {
  const std::string head =
      fmt::format("{} {} HTTP/1.1\r\nHost: localhost\r\n{}", load.body.empty() ? "GET" : "POST", load.target,
                  load.reuse == Load::Reuse::keep_alive ? "" : "Connection: close\r\n");
  return load.body.empty() ? head + "\r\n"
                           : fmt::format("{}Content-Length: {}\r\n\r\n{}", head, load.body.size(), load.body);
}

}  // namespace

void LoadResult::add(LoadResult&& other) {
  requests += other.requests;
  in_time += other.in_time;
  errors += other.errors;
  latencies_us.insert(latencies_us.end(), other.latencies_us.begin(), other.latencies_us.end());
}

// What one thread does: some of the connections.
class ClosedLoopClient::Loop {
 public:
  Loop(std::uint16_t port, const Load& load, Wait wait, Cores cores, unsigned connections)
      : port_(port),
        keep_alive_(load.reuse == Load::Reuse::keep_alive),
        wait_(wait),
        cores_(std::move(cores)),
        request_(request_of(load)),
        connections_(connections),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}

  LoadResult run(std::chrono::milliseconds slice) {
    pin_to(cores_);
    result_ = {};
    end_ = Clock::now() + slice;
    waiting_ = 0;
    for (Connection& connection : connections_) ask(connection);
    epoll_event events[epoll_events_max];
    while (waiting_ > 0) {
      const int ready = ::epoll_wait(epoll_.get(), events, epoll_events_max,
                                     wait_ == Wait::spinning ? 0 : answer_time_max_ms);
      if (ready == 0 && Clock::now() > end_ + std::chrono::milliseconds(answer_time_max_ms)) {
        throw std::runtime_error(fmt::format("{} requests were not answered", waiting_));
      }
      for (int i = 0; i < ready; ++i) receive(*static_cast<Connection*>(events[i].data.ptr));
    }
    return std::move(result_);
  }

 private:
  struct Connection {
    UniqueFd socket;
    Clock::time_point asked;
    std::string received;
  };

  void ask(Connection& connection) {
    if (!connection.socket) {
      connection.socket = HttpClient::try_connect(port_);
      if (!connection.socket) throw std::runtime_error("the server does not accept a connection");
      epoll_event event{.events = EPOLLIN, .data = {.ptr = &connection}};
      ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, connection.socket.get(), &event);
    }
    connection.asked = Clock::now();
    ++waiting_;
    if (::send(connection.socket.get(), request_.data(), request_.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(request_.size())) {
      fail(connection);
    }
  }

  void receive(Connection& connection) {
    char piece[16384];
    const ssize_t count = ::recv(connection.socket.get(), piece, sizeof piece, 0);
    if (count <= 0) return fail(connection);
    connection.received.append(piece, static_cast<std::size_t>(count));
    if (complete_response(connection.received) == 0) return;
    const auto now = Clock::now();
    if (std::atoi(connection.received.c_str() + sizeof "HTTP/1.1") == 200) {
      ++result_.requests;
      result_.in_time += now < end_ ? 1 : 0;
    } else {
      ++result_.errors;
    }
    result_.latencies_us.push_back(std::chrono::duration<double, std::micro>(now - connection.asked).count());
    connection.received.clear();
    if (!keep_alive_) connection.socket.reset();
    --waiting_;
    if (now < end_) ask(connection);
  }

  // It is not used again in this slice.
  void fail(Connection& connection) {
    ++result_.errors;
    connection.socket.reset();
    connection.received.clear();
    --waiting_;
  }

  std::uint16_t port_;
  bool keep_alive_;
  Wait wait_;
  Cores cores_;
  std::string request_;
  std::vector<Connection> connections_;
  UniqueFd epoll_;
  Clock::time_point end_;
  std::size_t waiting_ = 0;  // requests under way
  LoadResult result_;
};

ClosedLoopClient::ClosedLoopClient(std::uint16_t port, const Load& load, const Cores& cores, Wait wait) {
  const std::size_t threads = std::min<std::size_t>(cores.size(), load.connections);
  for (std::size_t i = 0; i < threads; ++i) {
    Cores place = wait == Wait::spinning ? Cores{cores[i]} : cores;
    const auto share = static_cast<unsigned>((load.connections + i) / threads);
    loops_.push_back(std::make_unique<Loop>(port, load, wait, std::move(place), share));
  }
}

ClosedLoopClient::ClosedLoopClient(ClosedLoopClient&&) noexcept = default;
ClosedLoopClient::~ClosedLoopClient() = default;

LoadResult ClosedLoopClient::run(std::chrono::milliseconds slice) {
  std::vector<std::future<LoadResult>> parts;
  parts.reserve(loops_.size());
  for (const auto& loop : loops_) {
    parts.push_back(std::async(std::launch::async, [&loop, slice] { return loop->run(slice); }));
  }
  LoadResult sum;
  for (auto& part : parts) sum.add(part.get());
  sum.seconds = std::chrono::duration<double>(slice).count();
  return sum;
}

}  // namespace tollgate::bench
