// A small blocking client for tests: it can send any bytes, well-formed or not, and reads responses strictly.
// Everything is bounded by a timeout; failures are thrown as std::runtime_error with what was received.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/unique_fd.hpp"

namespace tollgate::testing {

struct Response {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> fields;  // names in lower case
  std::string body;
  std::vector<std::pair<std::string, std::string>> trailers;

  std::optional<std::string> field(std::string_view name) const;  // lower-case name; the first
};

class Connection {
 public:
  explicit Connection(std::uint16_t port, const std::string& address = "127.0.0.1",
                      std::chrono::milliseconds timeout = std::chrono::seconds(10));

  void send(std::string_view bytes);
  // Like send, but tells how many bytes went out before the peer refused more or the timeout passed.
  std::size_t send_some(std::string_view bytes);
  void shutdown_write();
  void reset();  // closes with RST

  // The next final response; interim (1xx) ones are collected in `interim`. Body::none for answers to HEAD.
  enum class Body { expected, none };
  Response read_response(Body body = Body::expected);
  std::vector<Response> interim;

  std::string read_exactly(std::size_t bytes);
  std::string read_to_end();  // until the peer closes (or resets)
  bool closed_by_peer();      // waits for the end; false if bytes come or the timeout passes
  int fd() const { return fd_.get(); }

 private:
  bool fill();  // false at the end
  std::string line();

  UniqueFd fd_;
  std::string buffer_;
};

// Whether somebody listens there.
bool is_listening(std::uint16_t port);

// A loopback port that was free a moment ago, for who cannot tell which one a server got.
std::uint16_t free_port();

// One request on a connection of its own ("Connection: close" is not sent; the connection is just dropped).
Response get(std::uint16_t port, std::string_view target,
             const std::vector<std::pair<std::string, std::string>>& fields = {});
Response request(std::uint16_t port, std::string_view method, std::string_view target,
                 std::string_view body = {},
                 const std::vector<std::pair<std::string, std::string>>& fields = {});

}  // namespace tollgate::testing
