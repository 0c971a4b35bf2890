// The admin address, served by the supervisor on a listener of its own.
//
// Threads: the supervisor's event loop.
#pragma once

#include <memory>
#include <string>

#include "base/expected.hpp"
#include "base/timer_wheel.hpp"
#include "gateway/observe/admin.hpp"
#include "http/server.hpp"

namespace tollgate::gateway {

class AdminServer {
 public:
  // `source` and `log` outlive it.
  static expected<std::unique_ptr<AdminServer>, std::string> open(EventLoop& loop, const AdminSource& source,
                                                                  Log& log, const std::string& address);

  AdminServer(EventLoop& loop, const AdminSource& source, Log& log);

  const std::string& address() const { return address_; }  // with the real port

  // Stops accepting and cuts what is open. To be awaited before it is destroyed, unless the loop has had its
  // last run.
  Task<> close();

 private:
  TimerWheel wheel_;
  Admin admin_;
  http::Server server_;
  std::string address_;
};

}  // namespace tollgate::gateway
