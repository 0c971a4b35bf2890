#include "http/endpoint.hpp"

#include <arpa/inet.h>

#include <charconv>
#include <cstring>
#include <span>

namespace tollgate::http {
namespace {

// As inet_ntop does, which takes ten times as long.
std::size_t write_ipv4(const std::uint8_t* bytes, std::span<char> out) {
  char* at = out.data();
  for (int i = 0; i < 4; ++i) {
    if (i > 0) *at++ = '.';
    at = std::to_chars(at, out.data() + out.size(), bytes[i]).ptr;
  }
  return static_cast<std::size_t>(at - out.data());
}

}  // namespace

Endpoint::Endpoint(const sockaddr_storage& socket_address) {
  if (socket_address.ss_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &socket_address, sizeof v4);
    port_ = ntohs(v4.sin_port);
    size_ = static_cast<std::uint8_t>(write_ipv4(reinterpret_cast<const std::uint8_t*>(&v4.sin_addr), text_));
  } else if (socket_address.ss_family == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, &socket_address, sizeof v6);
    port_ = ntohs(v6.sin6_port);
    constexpr std::size_t mapped_offset = 12;
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
      size_ = static_cast<std::uint8_t>(write_ipv4(v6.sin6_addr.s6_addr + mapped_offset, text_));
    } else if (::inet_ntop(AF_INET6, &v6.sin6_addr, text_.data(), text_.size()) != nullptr) {
      size_ = static_cast<std::uint8_t>(std::strlen(text_.data()));
    }
  }
}

Endpoint local_endpoint(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) < 0) return {};
  return Endpoint(address);
}

}  // namespace tollgate::http
