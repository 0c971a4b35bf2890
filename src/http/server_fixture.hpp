// For tests of the server side: a Server on a loopback port in a thread of its own, and a plain blocking
// client. The tests lie in this namespace, too, and find here the matchers that all of them use.
#pragma once

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <functional>
#include <future>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "http/server.hpp"

namespace tollgate::http::test {

using namespace std::chrono_literals;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

inline constexpr std::string_view get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

// Answers by a coroutine the test gives; remembers refusals.
class ScriptedHandler final : public Handler {
 public:
  using Script = std::function<Task<>(Exchange&)>;
  explicit ScriptedHandler(Script script) : script_(std::move(script)) {}

  Task<> handle(Exchange& exchange) override {
    Task<> answer = script_(exchange);
    co_await std::move(answer);
  }
  void refused(const Reason& reason, std::string_view) override {
    const std::lock_guard lock(mutex_);
    refused_.emplace_back(reason.word);
  }
  std::vector<std::string> refused_words() {
    const std::lock_guard lock(mutex_);
    return refused_;
  }

 private:
  Script script_;
  std::mutex mutex_;
  std::vector<std::string> refused_;
};

inline Task<> answer_hello(Exchange& exchange) {
  const Field fields[] = {{"Content-Type", "text/plain"}};
  const ResponseHead head{200, fields};
  const auto sent = co_await exchange.response.send(head, "hello");
  static_cast<void>(sent);
}

inline Task<std::string> whole_body(Exchange& exchange) {
  std::string whole;
  for (;;) {
    const auto piece = co_await exchange.body.read();
    if (!piece) co_return "error: " + std::string(piece.error()->word);
    if (piece->empty()) co_return whole;
    whole.append(*piece);
  }
}

// Answers with the body, its trailers and the path.
inline Task<> answer_echo(Exchange& exchange) {
  std::string whole = co_await whole_body(exchange);
  whole.append("|").append(exchange.request.target);
  for (const Field& field : exchange.body.trailers())
    whole.append("|").append(field.name).append("=").append(field.value);
  whole.append("|end");
  const auto sent = co_await exchange.response.send(ResponseHead{}, whole);
  static_cast<void>(sent);
}

// A listening socket on a port of the kernel's choice.
inline UniqueFd listen_on_loopback(int family = AF_INET, int backlog = 512) {
  UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_storage address{};
  socklen_t size = 0;
  if (family == AF_INET6) {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(address);
    v6.sin6_family = AF_INET6;
    v6.sin6_addr = in6addr_loopback;
    size = sizeof v6;
  } else {
    auto& v4 = reinterpret_cast<sockaddr_in&>(address);
    v4.sin_family = AF_INET;
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    size = sizeof v4;
  }
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(fd.get(), backlog) != 0) {
    return {};
  }
  return fd;
}

class Client {
 public:
  explicit Client(std::uint16_t port, int family = AF_INET, int receive_buffer = 0)
      : Client(UniqueFd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)), port, family, receive_buffer) {}

  Client(UniqueFd unconnected, std::uint16_t port, int family = AF_INET, int receive_buffer = 0)
      : fd_(std::move(unconnected)) {
    if (receive_buffer > 0) {
      ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    }
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    v6.sin6_addr = in6addr_loopback;
    connected_ = family == AF_INET6 ? ::connect(fd_.get(), reinterpret_cast<sockaddr*>(&v6), sizeof v6) == 0
                                    : ::connect(fd_.get(), reinterpret_cast<sockaddr*>(&v4), sizeof v4) == 0;
  }
  bool connected() const { return connected_; }

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t size = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (size <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(size));
    }
  }
  // What arrives within `wait`, at most once; empty at the end or when nothing came.
  std::string receive_some(std::chrono::milliseconds wait = std::chrono::seconds(5)) {
    pollfd ready{fd_.get(), POLLIN, 0};
    if (::poll(&ready, 1, static_cast<int>(wait.count())) <= 0) return {};
    std::string bytes(64 << 10, '\0');
    const ssize_t size = ::recv(fd_.get(), bytes.data(), bytes.size(), 0);
    bytes.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    closed_ = size <= 0;
    reset_ = size < 0 && errno == ECONNRESET;
    return bytes;
  }
  std::string receive_until(std::string_view end) {
    std::string all;
    while (all.find(end) == std::string::npos) {
      const std::string piece = receive_some();
      if (piece.empty()) break;
      all += piece;
    }
    return all;
  }
  std::string receive_all() {
    std::string all;
    while (!closed_) {
      const std::string piece = receive_some();
      if (piece.empty()) break;
      all += piece;
    }
    return all;
  }
  std::string ask(std::string_view request, std::string_view end = "hello") {
    send(request);
    return receive_until(end);
  }
  bool closed() const { return closed_; }
  bool was_reset() const { return reset_; }
  void stop_sending() { ::shutdown(fd_.get(), SHUT_WR); }
  void close() { fd_.reset(); }
  int fd() const { return fd_.get(); }

 private:
  UniqueFd fd_;
  bool connected_ = false;
  bool closed_ = false;
  bool reset_ = false;
};

class ServerFixture : public ::testing::Test {
 protected:
  void start(ScriptedHandler::Script script = answer_hello, ServerLimits limits = {}, int family = AF_INET) {
    handler_ = std::make_unique<ScriptedHandler>(std::move(script));
    server_ = std::make_unique<Server>(loop_, wheel_, *handler_, log_, limits);
    UniqueFd listening = listen_on_loopback(family);
    if (send_buffer_bytes_ > 0) {  // connections have it from the listener
      ::setsockopt(listening.get(), SOL_SOCKET, SO_SNDBUF, &send_buffer_bytes_, sizeof send_buffer_bytes_);
    }
    port_ = local_endpoint(listening.get()).port();
    ASSERT_TRUE(server_->listen(std::move(listening)));
    thread_ = std::thread([this] { loop_.run(); });
  }
  void TearDown() override {
    if (!thread_.joinable()) return;
    on_loop([this] {
      server_->drain();
      server_->drain();
    });
    work_.reset();
    loop_.stop();
    thread_.join();
  }

  // Runs `action` on the server's thread and waits for it.
  template <class Action>
  std::invoke_result_t<Action> on_loop(Action action) {
    std::packaged_task<std::invoke_result_t<Action>()> task(std::move(action));
    auto done = task.get_future();
    asio::post(loop_, std::move(task));
    return done.get();
  }
  ServerCounters counters() {
    return on_loop([this] { return server_->counters(); });
  }
  // Polls until the counters satisfy the condition, for at most five seconds.
  template <class Condition>
  bool eventually(Condition condition) {
    for (int i = 0; i < 500; ++i) {
      if (condition(counters())) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }
  // Everything the server says, until it closes, to one request on a connection of its own.
  std::string answer_to(std::string_view request) {
    Client client = connect();
    client.send(request);
    return client.receive_all();
  }
  Client connect(int receive_buffer = 0) { return Client(port_, AF_INET, receive_buffer); }
  std::string logged() const {
    std::string text(64 << 10, '\0');
    const ssize_t size = ::pread(log_file_.get(), text.data(), text.size(), 0);
    return text.substr(0, size > 0 ? static_cast<std::size_t>(size) : 0);
  }

  int send_buffer_bytes_ = 0;  // of the server's connections, set before start(); 0: the kernel's choice
  EventLoop loop_;
  asio::executor_work_guard<Executor> work_{loop_.get_executor()};
  TimerWheel wheel_{loop_};
  UniqueFd log_file_{::memfd_create("log", MFD_CLOEXEC)};
  Log log_{"test", log_file_.get()};
  std::unique_ptr<ScriptedHandler> handler_;
  std::unique_ptr<Server> server_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

}  // namespace tollgate::http::test
