#include "tests/support/http_client.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <stdexcept>

namespace tollgate::testing {
namespace {

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

std::string trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(" \t") - first + 1));
}

std::uint64_t number(std::string_view text, int base) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw std::runtime_error(fmt::format("not a number: '{}'", text));
  }
  return value;
}

}  // namespace

std::optional<std::string> Response::field(std::string_view name) const {
  for (const auto& [key, value] : fields) {
    if (key == name) return value;
  }
  return std::nullopt;
}

Connection::Connection(std::uint16_t port, const std::string& address, std::chrono::milliseconds timeout) {
  sockaddr_storage storage{};
  socklen_t length = 0;
  if (address.find(':') == std::string::npos) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    inet_pton(AF_INET, address.c_str(), &v4.sin_addr);
    length = sizeof v4;
  } else {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr);
    length = sizeof v6;
  }
  fd_ = UniqueFd(socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  timeval limit{};
  limit.tv_sec = timeout.count() / 1000;
  limit.tv_usec = (timeout.count() % 1000) * 1000;
  setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  const int on = 1;
  setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (connect(fd_.get(), reinterpret_cast<sockaddr*>(&storage), length) != 0) {
    throw std::runtime_error(fmt::format("connect to {}:{}: {}", address, port, std::strerror(errno)));
  }
}

std::size_t Connection::send_some(std::string_view bytes) {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t n = ::send(fd_.get(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) break;
    sent += static_cast<std::size_t>(n);
  }
  return sent;
}

void Connection::send(std::string_view bytes) {
  if (send_some(bytes) != bytes.size())
    throw std::runtime_error(fmt::format("send: {}", std::strerror(errno)));
}

void Connection::shutdown_write() {
  ::shutdown(fd_.get(), SHUT_WR);
}

void Connection::reset() {
  const linger now{1, 0};
  setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  fd_.reset();
}

bool Connection::fill() {
  char bytes[64 << 10];
  const ssize_t n = recv(fd_.get(), bytes, sizeof bytes, 0);
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
    throw std::runtime_error(fmt::format("timeout; received so far: '{}'", buffer_.substr(0, 500)));
  }
  if (n <= 0) return false;
  buffer_.append(bytes, static_cast<std::size_t>(n));
  return true;
}

std::string Connection::line() {
  std::size_t end;
  while ((end = buffer_.find("\r\n")) == std::string::npos) {
    if (!fill())
      throw std::runtime_error(fmt::format("closed in a line; received: '{}'", buffer_.substr(0, 500)));
  }
  std::string text = buffer_.substr(0, end);
  buffer_.erase(0, end + 2);
  return text;
}

std::string Connection::read_exactly(std::size_t bytes) {
  while (buffer_.size() < bytes) {
    if (!fill()) throw std::runtime_error(fmt::format("closed after {} of {} bytes", buffer_.size(), bytes));
  }
  std::string text = buffer_.substr(0, bytes);
  buffer_.erase(0, bytes);
  return text;
}

std::string Connection::read_to_end() {
  while (fill()) {
  }
  return std::exchange(buffer_, {});
}

bool Connection::closed_by_peer() {
  try {
    return buffer_.empty() && !fill();
  } catch (const std::runtime_error&) {
    return false;
  }
}

Response Connection::read_response(Body body) {
  for (;;) {
    Response response;
    const std::string status_line = line();
    if (status_line.size() < 13 || status_line.compare(0, 7, "HTTP/1.") != 0 || status_line[12] != ' ') {
      throw std::runtime_error(fmt::format("not a status line: '{}'", status_line));
    }
    response.status = static_cast<int>(number(std::string_view(status_line).substr(9, 3), 10));
    const auto read_fields = [this](auto& fields) {
      for (std::string text = line(); !text.empty(); text = line()) {
        const auto colon = text.find(':');
        if (colon == std::string::npos) throw std::runtime_error(fmt::format("not a field line: '{}'", text));
        fields.emplace_back(lower(text.substr(0, colon)), trim(std::string_view(text).substr(colon + 1)));
      }
    };
    read_fields(response.fields);
    if (response.status < 200) {
      interim.push_back(std::move(response));
      continue;
    }
    if (body == Body::none || response.status == 204 || response.status == 304) return response;
    if (response.field("transfer-encoding") == "chunked") {
      for (;;) {
        const auto size = number(line(), 16);
        if (size == 0) break;
        response.body += read_exactly(size);
        if (!line().empty()) throw std::runtime_error("no line end after a chunk");
      }
      read_fields(response.trailers);
    } else if (const auto length = response.field("content-length")) {
      response.body = read_exactly(number(*length, 10));
    } else {
      response.body = read_to_end();
    }
    return response;
  }
}

bool is_listening(std::uint16_t port) {
  try {
    const Connection connection(port);
    return true;
  } catch (const std::runtime_error&) {
    return false;
  }
}

std::uint16_t free_port() {
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in own{};
  own.sin_family = AF_INET;
  own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof own;
  if (bind(socket.get(), reinterpret_cast<sockaddr*>(&own), length) != 0 ||
      getsockname(socket.get(), reinterpret_cast<sockaddr*>(&own), &length) != 0) {
    throw std::runtime_error(fmt::format("no free port: {}", std::strerror(errno)));
  }
  return ntohs(own.sin_port);
}

Response get(std::uint16_t port, std::string_view target,
             const std::vector<std::pair<std::string, std::string>>& fields) {
  return request(port, "GET", target, {}, fields);
}

Response request(std::uint16_t port, std::string_view method, std::string_view target, std::string_view body,
                 const std::vector<std::pair<std::string, std::string>>& fields) {
  Connection connection(port);
  std::string head = fmt::format("{} {} HTTP/1.1\r\n", method, target);
  bool has_host = false;
  for (const auto& [name, value] : fields) {
    head += fmt::format("{}: {}\r\n", name, value);
    has_host = has_host || lower(name) == "host";
  }
  if (!has_host) head += "Host: 127.0.0.1\r\n";
  if (!body.empty()) head += fmt::format("Content-Length: {}\r\n", body.size());
  head += "\r\n";
  head += body;
  connection.send(head);
  return connection.read_response(method == "HEAD" ? Connection::Body::none : Connection::Body::expected);
}

}  // namespace tollgate::testing
