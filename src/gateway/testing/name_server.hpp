// For tests: a name server (RFC 1035) on a loopback port that gives every name one IPv4 address, which may
// change.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>

#include "base/unique_fd.hpp"

namespace tollgate::gateway::testing {

class NameServer {
 public:
  NameServer(const std::string& address, std::uint32_t ttl_seconds) : ttl_seconds_(ttl_seconds) {
    set(address);
    socket_.reset(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in own{};
    own.sin_family = AF_INET;
    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof own;
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&own), length), 0);
    ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&own), &length);
    port_ = ntohs(own.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~NameServer() {
    stopping_ = true;
    thread_.join();
  }
  NameServer(const NameServer&) = delete;
  NameServer& operator=(const NameServer&) = delete;

  // As resolve() wants it.
  std::string address_and_port() const { return "127.0.0.1:" + std::to_string(port_); }
  void set(const std::string& address) { address_ = ::inet_addr(address.c_str()); }
  int asked() const { return asked_; }  // for IPv4 addresses

 private:
  static constexpr std::size_t header_bytes = 12;

  void serve() {
    while (!stopping_) {
      pollfd readable{socket_.get(), POLLIN, 0};
      if (::poll(&readable, 1, 20) <= 0) continue;
      char bytes[512];
      sockaddr_in from{};
      socklen_t length = sizeof from;
      const ssize_t size =
          ::recvfrom(socket_.get(), bytes, sizeof bytes, 0, reinterpret_cast<sockaddr*>(&from), &length);
      if (size <= static_cast<ssize_t>(header_bytes)) continue;
      const std::string reply = answer({bytes, static_cast<std::size_t>(size)});
      ::sendto(socket_.get(), reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&from), length);
    }
  }

  std::string answer(std::string_view query) {
    const std::size_t name_end = query.find('\0', header_bytes);
    if (name_end == std::string_view::npos || query.size() < name_end + 5) return {};
    const bool is_ipv4 = query.substr(name_end + 1, 2) == std::string_view("\0\1", 2);
    std::string reply(query.substr(0, 2));      // its id
    reply += std::string("\x81\x80\0\1\0", 5);  // an answer, recursion available; one question
    reply += is_ipv4 ? '\1' : '\0';             // so many answers
    reply += std::string(4, '\0');              // nothing else
    reply += query.substr(header_bytes, name_end + 5 - header_bytes);
    if (!is_ipv4) return reply;
    ++asked_;
    reply += std::string("\xc0\x0c\0\1\0\1", 6);  // the question's name, A, IN
    append(reply, htonl(ttl_seconds_));
    reply += std::string("\0\4", 2);
    append(reply, address_.load());
    return reply;
  }
  static void append(std::string& to, std::uint32_t network_order) {
    char bytes[4];
    std::memcpy(bytes, &network_order, sizeof bytes);
    to.append(bytes, sizeof bytes);
  }

  std::uint32_t ttl_seconds_;
  std::atomic<std::uint32_t> address_{0};  // network byte order
  std::atomic<int> asked_{0};
  std::atomic<bool> stopping_{false};
  UniqueFd socket_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

}  // namespace tollgate::gateway::testing
