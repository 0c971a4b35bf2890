#include "gateway/observe/access_log.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

namespace tollgate::gateway {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using Requests = AccessLogWriter::Requests;

class AccessLogTest : public testing::Test {
 protected:
  void SetUp() override {
    int ends[2] = {-1, -1};
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    reader_.reset(ends[0]);
    log_ = std::make_unique<AccessLogWriter>(loop_, UniqueFd(ends[1]), Requests::all, counts_);
  }

  std::string read_all() {
    std::string all;
    char piece[65536];
    for (;;) {
      const ssize_t count = ::read(reader_.get(), piece, sizeof piece);
      if (count <= 0) return all;
      all.append(piece, static_cast<std::size_t>(count));
    }
  }

  std::vector<json> read_lines() {
    std::vector<json> lines;
    std::istringstream text(read_all());
    for (std::string line; std::getline(text, line);) lines.push_back(json::parse(line));
    return lines;
  }

  EventLoop loop_{1};
  WorkerRow counts_;
  UniqueFd reader_;
  std::unique_ptr<AccessLogWriter> log_;
};

AccessRecord record() {
  return {.ended = std::chrono::steady_clock::now(),
          .request_id = "id-1",
          .remote = "127.0.0.1",
          .method = "GET",
          .target = "/a?b=c",
          .route = "/a",
          .status = 200,
          .outcome = "ok",
          .request_bytes = 3,
          .response_bytes = 5,
          .queue = 1'500ns,
          .handler = 2'042us,
          .total = 12'000'000ns};
}

TEST_F(AccessLogTest, tells_everything_about_a_request) {
  AccessRecord full = record();
  full.status = 504;
  full.outcome = "deadline";
  full.reason = "The guest took longer than its deadline.";
  full.guest_cpu = 33us;
  full.upstream_status = 502;
  log_->request(full);
  log_->flush();
  const std::vector<json> lines = read_lines();
  ASSERT_EQ(lines.size(), 1u);
  const json& line = lines[0];
  EXPECT_EQ(line["request_id"], "id-1");
  EXPECT_EQ(line["remote"], "127.0.0.1");
  EXPECT_EQ(line["method"], "GET");
  EXPECT_EQ(line["target"], "/a?b=c");
  EXPECT_EQ(line["route"], "/a");
  EXPECT_EQ(line["status"], 504);
  EXPECT_EQ(line["outcome"], "deadline");
  EXPECT_EQ(line["reason"], "The guest took longer than its deadline.");
  EXPECT_EQ(line["bytes_in"], 3);
  EXPECT_EQ(line["bytes_out"], 5);
  EXPECT_EQ(line["queue_ms"], 0.001);
  EXPECT_EQ(line["handler_ms"], 2.042);
  EXPECT_EQ(line["total_ms"], 12.0);
  EXPECT_EQ(line["guest_cpu_us"], 33);
  EXPECT_EQ(line["upstream_status"], 502);
}

TEST_F(AccessLogTest, gives_the_time_in_utc_with_milliseconds) {
  log_->request(record());
  log_->flush();
  const std::string time = read_lines().at(0)["time"];
  ASSERT_EQ(time.size(), 24u);
  EXPECT_EQ(time.back(), 'Z');
  tm utc{};
  ASSERT_NE(::strptime(time.c_str(), "%Y-%m-%dT%H:%M:%S", &utc), nullptr) << time;
  EXPECT_NEAR(static_cast<double>(::timegm(&utc)), static_cast<double>(::time(nullptr)), 2.0);
}

TEST_F(AccessLogTest, leaves_out_what_there_was_not) {
  log_->request(record());
  log_->flush();
  const json line = read_lines().at(0);
  EXPECT_FALSE(line.contains("reason"));
  EXPECT_FALSE(line.contains("guest_cpu_us"));
  EXPECT_FALSE(line.contains("upstream_status"));
  EXPECT_FALSE(line.contains("truncated"));
}

TEST_F(AccessLogTest, escapes_every_byte_a_client_can_send) {
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) bytes.push_back(static_cast<char>(byte));
  AccessRecord hostile = record();
  hostile.target = bytes;
  log_->request(hostile);
  log_->flush();
  const std::string line = read_all();
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
  std::string decoded;  // U+0000 to U+00FF: one character per byte
  const std::string target = json::parse(line)["target"];
  for (std::size_t i = 0; i < target.size(); ++i) {
    const auto lead = static_cast<unsigned char>(target[i]);
    decoded.push_back(lead < 0x80 ? target[i] : static_cast<char>(((lead & 3) << 6) | (target[++i] & 0x3f)));
  }
  EXPECT_EQ(decoded, bytes);
}

TEST_F(AccessLogTest, keeps_a_line_within_one_atomic_write_whatever_is_in_it) {
  const std::string flood(100'000, '\x01');
  AccessRecord hostile = record();
  hostile.request_id = hostile.remote = hostile.method = hostile.target = hostile.route = hostile.reason =
      flood;
  hostile.outcome = "a_word_of_twenty_byte";
  hostile.status = 999;
  hostile.request_bytes = hostile.response_bytes = UINT64_MAX;
  hostile.queue = hostile.handler = hostile.total = std::chrono::nanoseconds::max();
  hostile.guest_cpu = std::chrono::nanoseconds::max();
  hostile.upstream_status = 999;
  log_->request(hostile);
  log_->flush();
  const std::string line = read_all();
  EXPECT_LE(line.size(), AccessLogWriter::line_bytes_max);
  EXPECT_EQ(json::parse(line)["truncated"], true);
  EXPECT_EQ(json::parse(line)["upstream_status"], 999);
}

TEST_F(AccessLogTest, drops_whole_lines_and_counts_them_when_nobody_reads) {
  constexpr std::uint64_t written = 20'000;
  for (std::uint64_t i = 0; i < written; ++i) log_->request(record());
  const std::uint64_t dropped = counts_.log_lines_dropped.get();
  EXPECT_GT(dropped, 0u);
  std::size_t read = 0;
  for (;;) {                                       // the reader is back
    const std::size_t more = read_lines().size();  // throws if a line was cut
    if (more == 0) break;
    read += more;
    log_->flush();
  }
  EXPECT_EQ(read + dropped, written);
  EXPECT_EQ(counts_.log_lines_dropped.get(), dropped);
  log_->request(record());
  log_->flush();
  EXPECT_EQ(read_lines().size(), 1u);
}

TEST_F(AccessLogTest, writes_after_a_moment_by_itself_and_then_rests) {
  log_->request(record());
  EXPECT_EQ(read_all(), "");
  loop_.run();  // ends: no timer is left
  EXPECT_EQ(read_lines().size(), 1u);
}

TEST_F(AccessLogTest, tries_again_by_itself_while_the_sink_is_full) {
  while (!HasFatalFailure() && counts_.log_lines_dropped.get() == 0) log_->request(record());
  read_all();
  loop_.run_for(AccessLogWriter::retry_after * 3);
  EXPECT_FALSE(read_lines().empty());
}

TEST_F(AccessLogTest, counts_lines_that_can_never_be_written) {
  std::signal(SIGPIPE, SIG_IGN);
  reader_.reset();
  log_->request(record());
  log_->flush();
  EXPECT_EQ(counts_.log_lines_dropped.get(), 1u);
}

TEST_F(AccessLogTest, continues_in_another_sink) {
  int ends[2] = {-1, -1};
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  log_->request(record());
  log_->reopen(UniqueFd(ends[1]), Requests::all);
  log_->request(record());
  log_->flush();
  EXPECT_EQ(read_lines().size(), 1u);
  reader_.reset(ends[0]);
  EXPECT_EQ(read_lines().size(), 1u);
}

TEST_F(AccessLogTest, of_failures_alone_takes_none_that_are_the_clients) {
  const SteadyTime now = std::chrono::steady_clock::now();
  EXPECT_TRUE(log_->wants(now, nullptr));
  EXPECT_TRUE(log_->wants(now, &http::reasons::client_gone));
  log_->reopen({}, Requests::failed);
  EXPECT_FALSE(log_->wants(now, nullptr));
  EXPECT_FALSE(log_->wants(now, &http::reasons::client_gone));
  EXPECT_FALSE(log_->wants(now, &http::reasons::body_too_large));
  EXPECT_TRUE(log_->wants(now, &http::reasons::internal));
  EXPECT_FALSE(log_->wants_refused());
  EXPECT_EQ(counts_.log_lines_dropped.get(), 0u);
}

TEST_F(AccessLogTest, of_failures_alone_takes_a_bounded_number_and_counts_the_rest) {
  log_->reopen({}, Requests::failed);
  const SteadyTime now = std::chrono::steady_clock::now();
  unsigned taken = 0;
  for (int i = 0; i < 1000; ++i) taken += log_->wants(now, &http::reasons::internal) ? 1 : 0;
  EXPECT_EQ(taken, AccessLogWriter::failed_at_once_max);
  EXPECT_EQ(counts_.log_lines_dropped.get(), 1000 - taken);
  EXPECT_TRUE(log_->wants(now + AccessLogWriter::failed_interval, &http::reasons::internal));
  EXPECT_FALSE(log_->wants(now + AccessLogWriter::failed_interval, &http::reasons::internal));
}

TEST_F(AccessLogTest, carries_what_guests_say_also_when_requests_are_not_logged) {
  int ends[2] = {-1, -1};
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  log_->reopen(UniqueFd(ends[1]), Requests::none);
  reader_.reset(ends[0]);
  EXPECT_FALSE(log_->wants(std::chrono::steady_clock::now(), &http::reasons::internal));
  EXPECT_FALSE(log_->wants_refused());
  log_->guest_line(std::chrono::steady_clock::now(), "id-7", "/fn/*",
                   "panicked at 'x\xff': \xc5\xbc\xc3\xb3\xc5\x82w\t\"\xc2\x9b\"");
  log_->flush();
  const std::vector<json> lines = read_lines();
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0]["request_id"], "id-7");
  EXPECT_EQ(lines[0]["route"], "/fn/*");
  EXPECT_EQ(lines[0]["stderr"], "panicked at 'x\u00ff': \u017c\u00f3\u0142w\t\"\u00c2\u009b\"");
}

}  // namespace
}  // namespace tollgate::gateway
