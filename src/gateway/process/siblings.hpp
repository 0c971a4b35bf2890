// How the workers of a crew share connections. The kernel gives each worker connections by a hash of their
// addresses: of few that live long, one worker may get most and another none. A worker that accepts one
// although a sibling has fewer passes it on; the client notices nothing.
//
// Every worker has an inbox, a socket that its siblings put descriptors into, and a line in shared memory
// with the number of its connections. A worker believes neither blindly: siblings run other people's guests.
//
// Threads: the supervisor's loop has SiblingLinks, each worker's loop its Siblings.
#pragma once

#include <atomic>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/async.hpp"
#include "base/expected.hpp"
#include "base/unique_fd.hpp"
#include "gateway/shared_memory.hpp"
#include "http/server.hpp"
#include "http/sibling_servers.hpp"

namespace tollgate::gateway {

// Crews of more workers, or of one, share nothing: each end goes to every worker, and a crowd of clients
// spreads evenly by itself.
inline constexpr unsigned siblings_max = 64;

// In memory that all workers of a crew can write.
struct CrewLoad {
  static constexpr std::int32_t takes_none = -1;  // it has not begun to serve, drains, or is gone
  struct alignas(64) Worker {
    std::atomic<std::int32_t> connections{takes_none};
  };
  Worker workers[siblings_max];
};

// Whom a worker that has `open` connections gives the next one to: the sibling with the fewest, if the two
// would not only change places. Some more count as equal where all have many.
std::optional<unsigned> sibling_with_fewer(const CrewLoad& load, unsigned workers, unsigned self,
                                           std::uint64_t open);

// The supervisor's side: what the workers of one crew are given, also those that replace one that ended.
class SiblingLinks {
 public:
  // nullptr: a crew of that size shares nothing, or the kernel has no descriptors for it.
  static std::shared_ptr<SiblingLinks> create(unsigned workers);

  // For a worker's Start: CrewLoad, its inbox, and the way into everyone's. Borrowed.
  std::vector<int> of_worker(unsigned index) const;

  // Nobody is to count on it before it says that it serves.
  void gone(unsigned index);

 private:
  struct Inbox {
    UniqueFd read;
    UniqueFd write;
  };
  SiblingLinks(SharedFile file, SharedMapping load) : file_(std::move(file)), load_(std::move(load)) {}

  SharedFile file_;
  SharedMapping load_;
  std::vector<Inbox> inboxes_;
};

// A worker's side.
class Siblings final : public http::SiblingServers {
 public:
  // What of_worker() gave. The error is a sentence: they are not what they should be.
  static expected<std::unique_ptr<Siblings>, std::string> make(EventLoop& loop, unsigned self,
                                                               std::vector<UniqueFd> ends);

  Siblings(EventLoop& loop, unsigned self, SharedMapping load, UniqueFd inbox, std::vector<UniqueFd> inboxes);

  // `server` gives and takes from now on; it is there for as long as the loop runs.
  void join(http::Server& server);
  // It takes no more, but for what siblings have given by now: see take_rest().
  void leave();
  // Whether there was any.
  bool take_rest();

  bool give_away(int connected, std::uint64_t open) override;
  void tell_open(std::uint64_t open) override;

 private:
  // Passing one on costs the two workers some 40 us, as much as a connection of one request. Those that live
  // long are few; those that do not spread by their number.
  static constexpr std::chrono::milliseconds give_interval{10};
  static constexpr int give_burst = 64;

  CrewLoad& load() const { return *static_cast<CrewLoad*>(load_.data()); }
  bool may_give_now();
  bool announce(unsigned sibling);
  void wait();

  unsigned self_;
  SharedMapping load_;
  asio::posix::basic_stream_descriptor<Executor> inbox_;
  std::vector<UniqueFd> inboxes_;  // of all workers
  http::Server* server_ = nullptr;
  bool left_ = false;
  SteadyTime next_due_{};
};

}  // namespace tollgate::gateway
