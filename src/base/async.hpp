// The event loop's vocabulary. Every type names the io_context's own executor: the type-erased defaults of
// Asio cost two to three times as much per request.
//
// Threads: one io_context per worker process, run by its only thread; nothing here is locked.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>
#include <chrono>

namespace tollgate {

namespace asio = boost::asio;
using boost::system::error_code;

using EventLoop = asio::io_context;
using Executor = EventLoop::executor_type;

template <class T = void>
using Task = asio::awaitable<T, Executor>;

// co_await op(..., use_task) throws on failure; use_task_tuple gives [error, ...] and is for the request
// path.
inline constexpr asio::use_awaitable_t<Executor> use_task;
inline constexpr asio::as_tuple_t<asio::use_awaitable_t<Executor>> use_task_tuple;

using TcpSocket = asio::basic_stream_socket<asio::ip::tcp, Executor>;
using TcpAcceptor = asio::basic_socket_acceptor<asio::ip::tcp, Executor>;
using SteadyTimer = asio::basic_waitable_timer<std::chrono::steady_clock,
                                               asio::wait_traits<std::chrono::steady_clock>, Executor>;

using SteadyTime = std::chrono::steady_clock::time_point;
using SystemTime = std::chrono::system_clock::time_point;

}  // namespace tollgate
