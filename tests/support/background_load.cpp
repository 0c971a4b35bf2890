#include "tests/support/background_load.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <chrono>
#include <optional>
#include <stdexcept>

#include "tests/support/http_client.hpp"

namespace tollgate::testing {
namespace {

// Whether any byte of an answer comes.
bool answer_begins(Connection& connection) {
  pollfd readable{.fd = connection.fd(), .events = POLLIN, .revents = 0};
  char byte = 0;
  return poll(&readable, 1, 10'000) == 1 && recv(connection.fd(), &byte, 1, MSG_PEEK) == 1;
}

// False when the connection is closed before the request could be sent whole.
bool send_all(Connection& connection, const std::string& request) {
  return connection.send_some(request) == request.size();
}

}  // namespace

std::uint64_t BackgroundLoad::Counts::total() const {
  std::uint64_t sum = 0;
  for (const auto& [answer, count] : answers) sum += count;
  return sum;
}

BackgroundLoad::BackgroundLoad(std::uint16_t port, std::string target, unsigned clients)
    : port_(port), request_(fmt::format("GET {} HTTP/1.1\r\nHost: test\r\n\r\n", target)) {
  for (unsigned i = 0; i < clients; ++i) clients_.emplace_back([this] { run(); });
}

BackgroundLoad::~BackgroundLoad() {
  stop();
}

void BackgroundLoad::run() {
  Counts counts;
  std::optional<Connection> connection;
  bool used = false;
  while (!stopping_) {
    try {
      if (!connection) {
        connection.emplace(port_);
        used = false;
      }
    } catch (const std::runtime_error&) {
      ++counts.refused;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      continue;
    }
    const bool answers = send_all(*connection, request_) && answer_begins(*connection);
    if (!answers) {
      ++(used ? counts.closed_unanswered : counts.lost);
      connection.reset();
      continue;
    }
    try {
      const Response response = connection->read_response();
      ++counts.answers[fmt::format("{} {}", response.status, response.body)];
      ++answered_;
      used = true;
      if (response.field("connection") == "close") connection.reset();
    } catch (const std::runtime_error&) {
      ++counts.lost;
      connection.reset();
    }
  }
  const std::lock_guard lock(mutex_);
  for (const auto& [answer, count] : counts.answers) counts_.answers[answer] += count;
  counts_.lost += counts.lost;
  counts_.closed_unanswered += counts.closed_unanswered;
  counts_.refused += counts.refused;
}

bool BackgroundLoad::wait_for_answers(std::uint64_t more) const {
  const std::uint64_t wanted = answered_ + more;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (answered_ < wanted) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

BackgroundLoad::Counts BackgroundLoad::stop() {
  stopping_ = true;
  for (std::thread& client : clients_) {
    if (client.joinable()) client.join();
  }
  const std::lock_guard lock(mutex_);
  return counts_;
}

}  // namespace tollgate::testing
