// One HTTP/1.1 request at a time over a blocking connection: for checks, first responses and held requests.
#pragma once

#include <cstdint>
#include <string>

#include "base/unique_fd.hpp"
#include "bench/child_process.hpp"

namespace tollgate::bench {

struct Answer {
  int status = 0;
  std::string body;
};

class HttpClient {
 public:
  // Throws if nobody listens.
  explicit HttpClient(std::uint16_t port);
  // An invalid descriptor when nobody listens (yet).
  static UniqueFd try_connect(std::uint16_t port);
  explicit HttpClient(UniqueFd connected) : socket_(std::move(connected)) {}

  void send_get(const std::string& target);
  void send_post(const std::string& target, const std::string& body);
  // Throws when no whole response comes in time. Content-Length only: that is what these servers send.
  Answer read_answer(std::chrono::milliseconds limit = std::chrono::seconds(10));

 private:
  void send(const std::string& request);

  UniqueFd socket_;
  std::string buffer_;
};

// A request on a connection of its own.
Answer http_get(std::uint16_t port, const std::string& target);

// A port of 127.0.0.1 that is free at the moment.
std::uint16_t free_port();

// The length of the response that starts the buffer, head and body, or 0 when it is not complete. Shared with
// the open-loop client.
std::size_t complete_response(const std::string& buffer);

}  // namespace tollgate::bench
