#include "bench/http_client.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>

#include <cstdlib>
#include <stdexcept>

namespace tollgate::bench {
namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

}  // namespace

UniqueFd HttpClient::try_connect(std::uint16_t port) {
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = loopback(port);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {};
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return socket;
}

HttpClient::HttpClient(std::uint16_t port) : socket_(try_connect(port)) {
  if (!socket_) throw std::runtime_error(fmt::format("nobody listens on port {}", port));
}

void HttpClient::send_get(const std::string& target) {
  send(fmt::format("GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n", target));
}

void HttpClient::send_post(const std::string& target, const std::string& body) {
  send(fmt::format("POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{}", target, body.size(),
                   body));
}

void HttpClient::send(const std::string& request) {
  if (::send(socket_.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    throw std::runtime_error("the server does not take a request");
  }
}

std::size_t complete_response(const std::string& buffer) {
  const std::size_t head_end = buffer.find("\r\n\r\n");
  if (head_end == std::string::npos) return 0;
  std::size_t length = 0;
  for (std::size_t line = buffer.find("\r\n"); line < head_end; line = buffer.find("\r\n", line + 2)) {
    constexpr char name[] = "content-length:";
    const char* const field = buffer.c_str() + line + 2;
    if (::strncasecmp(field, name, sizeof name - 1) == 0)
      length = std::strtoul(field + sizeof name - 1, nullptr, 10);
  }
  const std::size_t total = head_end + 4 + length;
  return buffer.size() >= total ? total : 0;
}

Answer HttpClient::read_answer(std::chrono::milliseconds limit) {
  const auto until = Clock::now() + limit;
  for (;;) {
    if (const std::size_t length = complete_response(buffer_)) {
      Answer answer;
      answer.status = std::atoi(buffer_.c_str() + sizeof "HTTP/1.1");
      const std::size_t body = buffer_.find("\r\n\r\n") + 4;
      answer.body = buffer_.substr(body, length - body);
      buffer_.erase(0, length);
      return answer;
    }
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now());
    pollfd readable{socket_.get(), POLLIN, 0};
    if (left.count() <= 0 || ::poll(&readable, 1, static_cast<int>(left.count())) <= 0) {
      throw std::runtime_error("no answer in time");
    }
    char piece[16384];
    const ssize_t count = ::recv(socket_.get(), piece, sizeof piece, 0);
    if (count <= 0) throw std::runtime_error("the server closed the connection before it answered");
    buffer_.append(piece, static_cast<std::size_t>(count));
  }
}

Answer http_get(std::uint16_t port, const std::string& target) {
  HttpClient client(port);
  client.send_get(target);
  return client.read_answer();
}

std::uint16_t free_port() {
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = loopback(0);
  socklen_t bytes = sizeof address;
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), bytes) != 0 ||
      ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &bytes) != 0) {
    throw std::runtime_error("no free port on 127.0.0.1");
  }
  return ntohs(address.sin_port);
}

}  // namespace tollgate::bench
