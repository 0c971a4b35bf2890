#include "http/endpoint.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <cstring>

namespace tollgate::http {
namespace {

std::string v4(const char* text) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  ::inet_pton(AF_INET, text, &address.sin_addr);
  sockaddr_storage storage{};
  std::memcpy(&storage, &address, sizeof address);
  return std::string(Endpoint(storage).address());
}

std::string v6(const char* text) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_scope_id = 7;
  ::inet_pton(AF_INET6, text, &address.sin6_addr);
  sockaddr_storage storage{};
  std::memcpy(&storage, &address, sizeof address);
  return std::string(Endpoint(storage).address());
}

TEST(Endpoint, is_numeric_text_without_a_zone) {
  for (const char* text : {"0.0.0.0", "127.0.0.1", "255.255.255.255", "10.20.30.40"})
    EXPECT_EQ(v4(text), text);
  for (const char* text : {"::", "::1", "2001:db8::1", "fe80::1"}) EXPECT_EQ(v6(text), text);
}

TEST(Endpoint, shows_a_mapped_ipv4_address_as_what_it_is) {
  EXPECT_EQ(v6("::ffff:192.0.2.1"), "192.0.2.1");
}

}  // namespace
}  // namespace tollgate::http
