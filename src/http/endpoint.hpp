// An address and port as text, made once per connection.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <string_view>

namespace tollgate::http {

class Endpoint {
 public:
  Endpoint() = default;

  // IPv4, IPv6 (without zone) or IPv4 mapped into IPv6, which is shown as the IPv4 it is.
  explicit Endpoint(const sockaddr_storage& socket_address);

  std::string_view address() const { return {text_.data(), size_}; }
  std::uint16_t port() const { return port_; }
  bool is_wildcard() const { return address() == "0.0.0.0" || address() == "::"; }

 private:
  std::array<char, INET6_ADDRSTRLEN> text_{};
  std::uint8_t size_ = 0;
  std::uint16_t port_ = 0;
};

// The local end of a socket; empty if it has none.
Endpoint local_endpoint(int fd);

}  // namespace tollgate::http
