// Bodies through the reverse proxy of the real binary, both ways: in bounded memory, as slow as the other
// side.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/support/http_client.hpp"
#include "tests/support/process_figures.hpp"
#include "tests/support/proxy.hpp"
#include "tests/support/sanitizer.hpp"

namespace tollgate::testing {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::uint64_t gibibyte = 1u << 30;

// What a worker takes more than at the beginning, at the worst moment that is looked at.
class Growth {
 public:
  explicit Growth(pid_t worker) : worker_(worker) {}

  // Once for each eighth of a gibibyte that has been moved.
  void look(std::uint64_t bytes_moved) {
    if (bytes_moved < next_look_bytes_) return;
    next_look_bytes_ += 128u << 20;
    most_kib_ = std::max(most_kib_, figures_of(worker_).memory_kib);
  }
  std::uint64_t kib() const { return most_kib_ - before_kib_; }

 private:
  pid_t worker_;
  std::uint64_t before_kib_ = figures_of(worker_).memory_kib;
  std::uint64_t most_kib_ = before_kib_;
  std::uint64_t next_look_bytes_ = 0;
};

constexpr std::uint64_t growth_max_kib = 4096 + sanitizer_quarantine_kib;

TEST(ReverseProxy, passes_interim_responses_chunks_and_trailers_on) {
  ScriptedUpstream upstream(
      once("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + chunked + "3\r\nabc\r\n0\r\nX-Sum: 6\r\n\r\n"));
  const auto gateway = in_front_of(upstream.port());
  Connection connection(gateway.port());
  connection.send("GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\n\r\n");
  const Response response = connection.read_response();
  EXPECT_EQ(response.body, "abc");
  ASSERT_EQ(response.trailers.size(), 1u);
  EXPECT_EQ(response.trailers[0].second, "6");
  ASSERT_EQ(connection.interim.size(), 1u);
  EXPECT_EQ(connection.interim[0].status, 103);
}

TEST(ReverseProxy, answers_the_expectation_itself_and_streams_chunks) {
  std::string head;
  std::string body;
  ScriptedUpstream upstream([&](Peer& peer) {
    head = peer.read_head();
    body = peer.read_chunked();
    peer.send(ok);
    peer.wait_for_close();
  });
  const auto gateway = in_front_of(upstream.port());
  Connection connection(gateway.port());
  connection.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_EQ(connection.read_exactly(25), "HTTP/1.1 100 Continue\r\n\r\n");
  connection.send("5\r\nhello\r\n");
  std::this_thread::sleep_for(milliseconds(600));  // longer than limits.io: the upstream waits for the client
  connection.send("0\r\n\r\n");
  EXPECT_EQ(connection.read_response().body, "ok");
  EXPECT_TRUE(connection.interim.empty());
  EXPECT_THAT(head, Not(HasSubstr("Expect")));
  EXPECT_THAT(body, HasSubstr("hello"));
}

TEST(ReverseProxy, passes_an_answer_on_that_comes_before_the_body_is_sent) {
  ScriptedUpstream upstream(once("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"));
  const auto gateway = in_front_of(upstream.port());
  Connection connection(gateway.port());
  connection.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nsome");
  const Response response = connection.read_response();
  EXPECT_EQ(response.status, 403);
  EXPECT_EQ(response.body, "no");
  connection.send_some(std::string(1000, 'x'));
  EXPECT_TRUE(let_go_of(upstream));
}

TEST(ReverseProxy, a_slow_upload_that_makes_progress_outlasts_deadline_and_io) {
  std::string body;
  ScriptedUpstream upstream([&body](Peer& peer) {
    peer.read_head();
    body = peer.read_exactly(8);
    peer.send(ok);
    peer.wait_for_close();
  });
  const auto gateway = in_front_of(upstream.port(), R"(deadline = "400ms", io = "400ms")");
  Connection connection(gateway.port());
  connection.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n");
  for (const char* piece : {"a", "b", "c", "d", "e", "f", "g", "h"}) {
    std::this_thread::sleep_for(milliseconds(100));
    connection.send(piece);
  }
  EXPECT_EQ(connection.read_response().body, "ok");
  EXPECT_EQ(body, "abcdefgh");
}

TEST(ReverseProxy, streams_a_gibibyte_down_in_bounded_memory) {
  ScriptedUpstream upstream([](Peer& peer) {
    peer.read_head();
    peer.send(fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", gibibyte));
    const std::string piece(1 << 20, 'x');
    for (std::uint64_t sent = 0; sent < gibibyte && peer.send(piece); sent += piece.size()) {
    }
    peer.wait_for_close();
  });
  const auto gateway = in_front_of(upstream.port());
  Growth growth(gateway.worker_pids().at(0));
  Connection connection(gateway.port());
  connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  std::uint64_t received = 0;
  std::vector<char> bytes(1 << 20);
  for (ssize_t got;
       received < gibibyte && (got = ::recv(connection.fd(), bytes.data(), bytes.size(), 0)) > 0;) {
    received += static_cast<std::uint64_t>(got);
    growth.look(received);
  }
  EXPECT_GE(received, gibibyte);
  EXPECT_LT(growth.kib(), growth_max_kib);
}

TEST(ReverseProxy, streams_a_gibibyte_up_in_bounded_memory) {
  std::atomic<std::uint64_t> arrived = 0;
  ScriptedUpstream upstream([&arrived](Peer& peer) {
    peer.read_head();
    while (arrived < gibibyte) {
      const std::size_t got = peer.read_exactly(1 << 20).size();
      if (got == 0) return;
      arrived += got;
    }
    peer.send(ok);
    peer.wait_for_close();
  });
  const auto gateway = in_front_of(upstream.port(), R"(body = "2GiB", deadline = "60s")");
  Growth growth(gateway.worker_pids().at(0));
  Connection connection(gateway.port());
  connection.send(fmt::format("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", gibibyte));
  const std::string piece(1 << 20, 'x');
  for (std::uint64_t sent = 0; sent < gibibyte; sent += piece.size()) {
    connection.send(piece);
    growth.look(sent);
  }
  EXPECT_EQ(connection.read_response().body, "ok");
  EXPECT_EQ(arrived, gibibyte);
  EXPECT_LT(growth.kib(), growth_max_kib);
}

TEST(ReverseProxy, reads_an_upstream_only_as_fast_as_the_client_reads) {
  std::atomic<std::uint64_t> sent = 0;
  ScriptedUpstream upstream([&sent](Peer& peer) {
    peer.read_head();
    peer.send(fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", gibibyte));
    const std::string piece(64 << 10, 'x');
    while (peer.send(piece)) sent += piece.size();
  });
  const auto gateway = in_front_of(upstream.port());
  {
    Connection connection(gateway.port());
    connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    std::this_thread::sleep_for(milliseconds(1000));
    EXPECT_LT(sent, 64u << 20);  // what the sockets' buffers hold
  }
  EXPECT_TRUE(let_go_of(upstream));
}

}  // namespace
}  // namespace tollgate::testing
