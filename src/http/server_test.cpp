// Many connections: drain, the cap, running out of descriptors, IPv6, clients that go away.
#include "http/server.hpp"

#include <sys/resource.h>
#include <time.h>

#include "http/server_fixture.hpp"

namespace tollgate::http::test {
namespace {

// Answers when told to, watching the client meanwhile.
struct Gate {
  std::atomic<int> entered{0};
  std::atomic<bool> open{false};
  std::atomic<const Reason*> cancelled{nullptr};

  Task<> handle(Exchange& exchange) {
    const Cancellation::Guard guard(
        exchange.cancellation,
        {[](void* self, const Reason& cause) { static_cast<Gate*>(self)->cancelled = &cause; }, this});
    exchange.client_watch.start();
    ++entered;
    SteadyTimer timer(co_await asio::this_coro::executor);
    while (!open && cancelled == nullptr) {
      timer.expires_after(2ms);
      co_await timer.async_wait(use_task);
    }
    exchange.client_watch.stop();
    const auto sent = co_await exchange.response.send(ResponseHead{}, "hello");
    static_cast<void>(sent);
  }
  ScriptedHandler::Script script() {
    return [this](Exchange& exchange) { return handle(exchange); };
  }
};

class HttpServer : public ServerFixture {
 protected:
  // Polls, for up to five seconds.
  template <class Condition>
  bool soon(Condition condition) {
    for (int i = 0; i < 1000 && !condition(); ++i) std::this_thread::sleep_for(5ms);
    return condition();
  }
  std::future<void> drained() {
    auto done = std::make_shared<std::promise<void>>();
    asio::co_spawn(loop_, server_->drained(), [done](const std::exception_ptr&) { done->set_value(); });
    return done->get_future();
  }
};

TEST_F(HttpServer, drain_closes_idle_finishes_the_rest_and_says_when) {
  Gate gate;
  start(gate.script());
  gate.open = true;
  Client idle = connect();
  idle.ask(get);
  gate.open = false;
  Client busy = connect();
  busy.send(get);
  ASSERT_TRUE(soon([&] { return gate.entered == 2; }));
  std::future<void> done = drained();
  on_loop([this] { server_->drain(); });
  EXPECT_EQ(idle.receive_all(), "");
  EXPECT_TRUE(idle.closed());
  EXPECT_FALSE(Client(port_).connected());
  EXPECT_EQ(done.wait_for(50ms), std::future_status::timeout);
  gate.open = true;
  const std::string answer = busy.receive_all();
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(answer, EndsWith("hello"));
  EXPECT_EQ(done.wait_for(5s), std::future_status::ready);
}

TEST_F(HttpServer, drain_answers_a_request_that_crosses_it) {
  start();
  Client client = connect();
  client.ask(get);
  // On the loop's thread, so that the request is in the socket before the connection can read it.
  on_loop([&] {
    client.send(get);
    std::this_thread::sleep_for(20ms);
    server_->drain();
  });
  const std::string answer = client.receive_all();
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(answer, EndsWith("hello"));
}

TEST_F(HttpServer, a_second_drain_ends_at_once) {
  Gate gate;
  start(gate.script());
  Client busy = connect();
  busy.send(get);
  ASSERT_TRUE(soon([&] { return gate.entered == 1; }));
  std::future<void> done = drained();
  on_loop([this] {
    server_->drain();
    server_->drain();
  });
  EXPECT_EQ(done.wait_for(5s), std::future_status::ready);
  EXPECT_EQ(busy.receive_all(), "");
}

TEST_F(HttpServer, drain_without_connections_is_done_at_once) {
  start();
  std::future<void> done = drained();
  on_loop([this] { server_->drain(); });
  EXPECT_EQ(done.wait_for(5s), std::future_status::ready);
}

TEST_F(HttpServer, at_the_cap_the_longest_idle_goes_else_the_new_one_is_refused) {
  Gate gate;
  ServerLimits limits;
  limits.connections_max = 2;
  start(gate.script(), limits);
  gate.open = true;
  Client first = connect();
  first.ask(get);
  Client second = connect();
  second.ask(get);
  Client third = connect();
  EXPECT_THAT(third.ask(get), EndsWith("hello"));
  EXPECT_EQ(first.receive_all(), "");
  EXPECT_EQ(counters().closed_for_room, 1u);

  gate.open = false;
  second.send(get);
  third.send(get);
  ASSERT_TRUE(soon([&] { return gate.entered == 5; }));
  Client refused = connect();
  const std::string answer = refused.receive_all();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(answer, HasSubstr("x-tollgate-error: connections\r\n"));
  EXPECT_EQ(counters().refused_at_cap, 1u);
  gate.open = true;
  EXPECT_THAT(second.receive_until("hello"), EndsWith("hello"));
}

double cpu_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

// For its life this process can open nothing more.
class NoDescriptors {
 public:
  NoDescriptors() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const int lowest_free = ::dup(0);
    ::close(lowest_free);
    const rlimit none{static_cast<rlim_t>(lowest_free), before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &none);
  }
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;

 private:
  rlimit before_{};
};

TEST_F(HttpServer, out_of_descriptors_it_waits_without_spinning_and_loses_nobody) {
  start();
  Client warm = connect();
  warm.ask(get);
  std::vector<UniqueFd> sockets;
  for (int i = 0; i < 3; ++i) sockets.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  std::vector<Client> waiting;
  {
    const NoDescriptors none;
    for (UniqueFd& socket : sockets) {
      waiting.emplace_back(std::move(socket), port_);
      ASSERT_TRUE(waiting.back().connected());
      waiting.back().send(get);
    }
    ASSERT_TRUE(eventually([](const ServerCounters& c) { return c.accept_errors > 0; }));
    const double cpu = cpu_seconds();
    std::this_thread::sleep_for(300ms);
    EXPECT_LT(cpu_seconds() - cpu, 0.1);
    EXPECT_THAT(warm.ask(get), EndsWith("hello"));
    warm.close();  // frees one descriptor here and one in the server, which is told at once
    EXPECT_THAT(waiting.front().receive_until("hello"), EndsWith("hello"));
  }
  EXPECT_THAT(waiting[1].receive_until("hello"), EndsWith("hello"));
  EXPECT_THAT(waiting[2].receive_until("hello"), EndsWith("hello"));
}

TEST_F(HttpServer, out_of_descriptors_every_listener_tries_again_when_a_connection_closes) {
  ServerLimits limits;
  limits.accept_pause_min = limits.accept_pause_max = 60s;
  start(answer_hello, limits);
  UniqueFd second = listen_on_loopback();
  const std::uint16_t second_port = local_endpoint(second.get()).port();
  ASSERT_TRUE(on_loop([&] { return server_->listen(std::move(second)); }));
  Client warm = connect();
  warm.ask(get);
  std::vector<UniqueFd> sockets;
  for (int i = 0; i < 2; ++i) sockets.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const NoDescriptors none;
  Client at_first(std::move(sockets[0]), port_);
  Client at_second(std::move(sockets[1]), second_port);
  ASSERT_TRUE(eventually([](const ServerCounters& c) { return c.accept_errors == 2; }));
  warm.close();  // frees one descriptor here and one in the server
  EXPECT_THAT(at_first.ask(get), EndsWith("hello"));
  EXPECT_THAT(at_second.ask(get), EndsWith("hello"));
}

TEST_F(HttpServer, a_listener_that_breaks_is_logged_once_and_accepts_again_when_it_is_whole) {
  start();
  UniqueFd listening = listen_on_loopback();
  const UniqueFd same(::dup(listening.get()));
  const std::uint16_t broken_port = local_endpoint(same.get()).port();
  ASSERT_TRUE(on_loop([&] { return server_->listen(std::move(listening)); }));
  ::shutdown(same.get(), SHUT_RDWR);
  ASSERT_TRUE(eventually([](const ServerCounters& c) { return c.accept_errors > 2; }));
  const double cpu = cpu_seconds();
  std::this_thread::sleep_for(300ms);
  EXPECT_LT(cpu_seconds() - cpu, 0.1);
  const std::string line = "accepting on 127.0.0.1 port " + std::to_string(broken_port) +
                           ": Invalid argument; it is tried again\n";
  const std::string log = logged();
  EXPECT_THAT(log, EndsWith(line));
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1) << log;
  EXPECT_THAT(connect().ask(get), EndsWith("hello")) << "the other listener";

  ASSERT_EQ(::listen(same.get(), 16), 0);
  EXPECT_THAT(Client(local_endpoint(same.get()).port()).ask(get), EndsWith("hello"));
}

TEST_F(HttpServer, serves_ipv6) {
  start(
      [](Exchange& exchange) -> Task<> {
        const std::string text =
            std::string(exchange.remote_address) + "|" + std::string(exchange.local_address) + "|end";
        const auto sent = co_await exchange.response.send(ResponseHead{}, text);
        static_cast<void>(sent);
      },
      {}, AF_INET6);
  if (port_ == 0) GTEST_SKIP() << "no IPv6 loopback here";
  Client client(port_, AF_INET6);
  EXPECT_THAT(client.ask("GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n", "|end"), EndsWith("\r\n\r\n::1|::1|end"));
}

TEST_F(HttpServer, a_client_that_closes_while_its_handler_waits_is_noticed) {
  Gate gate;
  start(gate.script());
  Client client = connect();
  client.send(get);
  ASSERT_TRUE(soon([&] { return gate.entered == 1; }));
  client.close();
  EXPECT_TRUE(soon([&] { return gate.cancelled == &reasons::client_gone; }));
  EXPECT_TRUE(eventually([](const ServerCounters& c) { return c.open == 0; }));
}

TEST_F(HttpServer, a_client_that_resets_while_its_handler_waits_is_noticed) {
  Gate gate;
  start(gate.script());
  Client client = connect();
  client.send(get);
  ASSERT_TRUE(soon([&] { return gate.entered == 1; }));
  const linger now{1, 0};
  ::setsockopt(client.fd(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  client.close();
  EXPECT_TRUE(soon([&] { return gate.cancelled == &reasons::client_gone; }));
}

TEST_F(HttpServer, pipelined_bytes_are_no_disconnect_but_do_not_hide_one) {
  Gate gate;
  start(gate.script());
  Client client = connect();
  client.send(get);
  ASSERT_TRUE(soon([&] { return gate.entered == 1; }));
  client.send(get);
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(gate.cancelled.load(), nullptr);
  gate.open = true;
  client.receive_until("hello");
  ASSERT_TRUE(soon([&] { return gate.entered == 2; }));

  gate.open = false;
  Client leaving = connect();
  leaving.send(get);
  ASSERT_TRUE(soon([&] { return gate.entered == 3; }));
  leaving.send(get);
  std::this_thread::sleep_for(50ms);
  leaving.close();
  EXPECT_TRUE(soon([&] { return gate.cancelled == &reasons::client_gone; }));
}

TEST_F(HttpServer, many_connections_at_once_are_all_served) {
  start();
  std::vector<Client> clients;
  for (int i = 0; i < 200; ++i) clients.push_back(connect());
  for (Client& client : clients) client.send(get);
  for (Client& client : clients) EXPECT_THAT(client.receive_until("hello"), EndsWith("hello"));
  clients.clear();
  EXPECT_TRUE(eventually(
      [](const ServerCounters& c) { return c.open == 0 && c.accepted == 200 && c.closed == 200; }));
}

TEST_F(HttpServer, does_not_listen_on_what_does_not_listen) {
  start();
  EXPECT_FALSE(on_loop([this] { return server_->listen(UniqueFd(::socket(AF_INET, SOCK_STREAM, 0))); }));
  EXPECT_FALSE(on_loop([this] { return server_->listen(UniqueFd()); }));
}

}  // namespace
}  // namespace tollgate::http::test
