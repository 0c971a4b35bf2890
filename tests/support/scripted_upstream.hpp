// An upstream that does what a test tells it, well or badly: it listens on loopback, accepts, and runs a
// script on each connection in a thread of its own. Reads and writes give up after ten seconds.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/unique_fd.hpp"
#include "tests/support/eventually.hpp"

namespace tollgate::testing {

// One accepted connection, as its script sees it.
class Peer {
 public:
  Peer(UniqueFd fd, int connection_number, const std::atomic<bool>& stopping)
      : number(connection_number), fd_(std::move(fd)), stopping_(stopping) {}

  const int number;  // counts the connections from 0

  // The next request head with its empty line; "" when the other side has closed.
  std::string read_head() {
    std::size_t end;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
      if (!fill()) return {};
    }
    return take(end + 4);
  }
  std::string read_exactly(std::size_t bytes) {
    while (buffer_.size() < bytes && fill()) {
    }
    return take(std::min(bytes, buffer_.size()));
  }
  // Through the end of a chunked body, framing included.
  std::string read_chunked() {
    std::size_t end;
    while ((end = buffer_.find("0\r\n\r\n")) == std::string::npos) {
      if (!fill()) return take(buffer_.size());
    }
    return take(end + 5);
  }
  // False when the other side has gone.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  void reset() {
    const linger now{1, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    fd_.reset();
  }
  void close() { fd_.reset(); }
  // Waits until the other side closes (true) or the upstream is stopped.
  bool wait_for_close() {
    while (fill()) buffer_.clear();
    return !stopping_;
  }

 private:
  bool fill() {
    for (int waited_ms = 0; waited_ms < 10'000 && !stopping_ && fd_; waited_ms += 20) {
      pollfd readable{fd_.get(), POLLIN, 0};
      if (::poll(&readable, 1, 20) <= 0) continue;
      char bytes[16384];
      const ssize_t got = ::recv(fd_.get(), bytes, sizeof bytes, 0);
      if (got <= 0) return false;
      buffer_.append(bytes, static_cast<std::size_t>(got));
      return true;
    }
    return false;
  }
  std::string take(std::size_t bytes) {
    std::string taken = buffer_.substr(0, bytes);
    buffer_.erase(0, bytes);
    return taken;
  }

  UniqueFd fd_;
  const std::atomic<bool>& stopping_;
  std::string buffer_;
};

class ScriptedUpstream {
 public:
  using Script = std::function<void(Peer&)>;
  enum class Family : std::uint8_t { v4, v6 };

  explicit ScriptedUpstream(Script script, Family family = Family::v4) : script_(std::move(script)) {
    const bool is_v4 = family == Family::v4;
    listener_.reset(::socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_addr = in6addr_loopback;
    auto* const address = is_v4 ? reinterpret_cast<sockaddr*>(&v4) : reinterpret_cast<sockaddr*>(&v6);
    socklen_t length = is_v4 ? sizeof v4 : sizeof v6;
    if (::bind(listener_.get(), address, length) != 0 || ::listen(listener_.get(), 128) != 0) return;
    ::getsockname(listener_.get(), address, &length);
    port_ = ntohs(is_v4 ? v4.sin_port : v6.sin6_port);
    acceptor_ = std::thread([this] { accept(); });
  }
  ~ScriptedUpstream() {
    stopping_ = true;
    if (acceptor_.joinable()) acceptor_.join();
    for (std::thread& connection : connections_) connection.join();
  }
  ScriptedUpstream(const ScriptedUpstream&) = delete;
  ScriptedUpstream& operator=(const ScriptedUpstream&) = delete;

  std::uint16_t port() const { return port_; }
  int accepted() const { return accepted_; }
  int open() const { return open_; }  // connections whose script still runs

 private:
  void accept() {
    while (!stopping_) {
      pollfd readable{listener_.get(), POLLIN, 0};
      if (::poll(&readable, 1, 20) <= 0) continue;
      UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!fd) continue;
      const int number = accepted_++;
      ++open_;
      connections_.emplace_back([this, number, moved = fd.release()] {
        {
          Peer peer(UniqueFd(moved), number, stopping_);
          script_(peer);
        }
        --open_;
      });
    }
  }

  Script script_;
  UniqueFd listener_;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<int> accepted_{0};
  std::atomic<int> open_{0};
  std::vector<std::thread> connections_;
  std::thread acceptor_;
};

// Scripts that wait for a request, say `bytes` once, and then keep the connection open, close it, or reset
// it.
inline ScriptedUpstream::Script once(std::string bytes) {
  return [bytes = std::move(bytes)](Peer& peer) {
    peer.read_head();
    peer.send(bytes);
    peer.wait_for_close();
  };
}
inline ScriptedUpstream::Script once_then_close(std::string bytes) {
  return [bytes = std::move(bytes)](Peer& peer) {
    peer.read_head();
    peer.send(bytes);
  };
}
inline ScriptedUpstream::Script once_then_reset(std::string bytes) {
  return [bytes = std::move(bytes)](Peer& peer) {
    peer.read_head();
    peer.send(bytes);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    peer.reset();
  };
}

// Whether the upstream sees a connection, and every one end.
inline bool let_go_of(const ScriptedUpstream& server) {
  return eventually([&] { return server.accepted() > 0 && server.open() == 0; });
}

}  // namespace tollgate::testing
