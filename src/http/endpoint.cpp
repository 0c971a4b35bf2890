#include "http/endpoint.hpp"

#include <arpa/inet.h>

#include <cstring>

namespace tollgate::http {

Endpoint::Endpoint(const sockaddr_storage& socket_address) {
  const char* text = nullptr;
  if (socket_address.ss_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &socket_address, sizeof v4);
    port_ = ntohs(v4.sin_port);
    text = ::inet_ntop(AF_INET, &v4.sin_addr, text_.data(), text_.size());
  } else if (socket_address.ss_family == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, &socket_address, sizeof v6);
    port_ = ntohs(v6.sin6_port);
    constexpr std::size_t mapped_offset = 12;
    text = IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)
               ? ::inet_ntop(AF_INET, v6.sin6_addr.s6_addr + mapped_offset, text_.data(), text_.size())
               : ::inet_ntop(AF_INET6, &v6.sin6_addr, text_.data(), text_.size());
  }
  if (text != nullptr) size_ = static_cast<std::uint8_t>(std::strlen(text));
}

Endpoint local_endpoint(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) < 0) return {};
  return Endpoint(address);
}

}  // namespace tollgate::http
