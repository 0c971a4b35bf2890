#include "gateway/process/kill_port.hpp"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <string_view>

#include "gateway/process/limits.hpp"
#include "gateway/process/listeners.hpp"
#include "http/listener.hpp"

namespace tollgate::gateway {
namespace {

constexpr std::string_view answer =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\nConnection: close\r\n\r\nShutting "
    "down";

}  // namespace

KillPort::KillPort(EventLoop& loop, UniqueFd listener)
    : acceptor_(loop), address_(bound_address(listener.get())) {
  const auto protocol = http::protocol_of(listener.get());
  acceptor_.assign(protocol, listener.release());
}

Task<std::optional<TcpSocket>> KillPort::asked() {
  TcpSocket socket(acceptor_.get_executor());
  while (acceptor_.is_open()) {
    const auto [error] = co_await acceptor_.async_accept(socket, use_task_tuple);
    if (error) {
      if (!acceptor_.is_open()) break;
      SteadyTimer pause(acceptor_.get_executor(), kill_port_retry);  // out of descriptors: do not spin
      co_await pause.async_wait(use_task_tuple);
      continue;
    }
    close();
    // A fresh connection's buffer takes these bytes at once.
    const auto bytes = asio::buffer(answer);
    co_await asio::async_write(socket, bytes, use_task_tuple);
    co_return std::optional<TcpSocket>(std::move(socket));
  }
  co_return std::nullopt;
}

void KillPort::close() {
  error_code ignored;
  acceptor_.close(ignored);
}

Task<> linger(TcpSocket& socket) {
  error_code ignored;
  socket.shutdown(TcpSocket::shutdown_send, ignored);
  SteadyTimer bound(socket.get_executor(), kill_port_linger);
  bound.async_wait([&socket](error_code error) {
    error_code ignored_too;
    if (!error) socket.close(ignored_too);
  });
  std::array<char, 4096> discarded;
  for (bool open = true; open;) {
    const auto buffer = asio::buffer(discarded);
    const auto [error, bytes] = co_await socket.async_read_some(buffer, use_task_tuple);
    open = !error;
  }
}

}  // namespace tollgate::gateway
