// The upstream names of the table that serves, resolved: at load, and again whenever their time to live is
// over. Workers never resolve; they are told.
//
// Threads: the supervisor's event loop.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/async.hpp"
#include "base/log.hpp"
#include "gateway/config/config.hpp"
#include "gateway/process/messages.hpp"

namespace tollgate::gateway {

class UpstreamNames {
 public:
  // `name_servers` as in resolve().
  UpstreamNames(EventLoop& loop, Log& log, std::string name_servers = {})
      : loop_(loop), log_(log), name_servers_(std::move(name_servers)), due_(loop) {}

  // Resolves the names of `config` that are not known yet, all at once. A name that cannot be resolved has no
  // address (its routes answer 502) and is asked again soon: an upstream may well be started after us.
  Task<> learn(const Config& config);

  // Only these are asked again from now on.
  void keep(const Config& config);

  // What is known of all names, as messages of bounded size.
  std::vector<message::Upstreams> known() const;

  // Waits until the next name is due, asks again, and gives what has changed; empty when nothing has, or when
  // learn() has brought names that may be due earlier. One at a time.
  Task<message::Upstreams> changes();

 private:
  struct Name {
    std::vector<std::string> addresses;
    SteadyTime due;
  };

  Task<> resolve_one(std::string host);

  EventLoop& loop_;
  Log& log_;
  std::string name_servers_;
  std::map<std::string, Name> names_;
  SteadyTimer due_;  // of changes()
};

}  // namespace tollgate::gateway
