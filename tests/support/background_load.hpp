// Keep-alive clients that ask one target over and over, each on its own thread, while a test does something
// to the gateway. A lost connection is opened again. A request is lost when it got no whole answer, except
// that one on a connection that was used before and closes without a byte of an answer is sent again, as RFC
// 9112 section 9.3.1 has it: the server may have closed while it was under way.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace tollgate::testing {

class BackgroundLoad {
 public:
  struct Counts {
    std::map<std::string, std::uint64_t> answers;  // by "STATUS body"
    std::uint64_t lost = 0;
    std::uint64_t closed_unanswered = 0;  // such connections
    std::uint64_t refused = 0;            // connections
    std::uint64_t total() const;
  };

  BackgroundLoad(std::uint16_t port, std::string target, unsigned clients);
  ~BackgroundLoad();

  std::uint64_t answered() const { return answered_.load(); }
  // Waits until that many more have been answered; false after five seconds.
  bool wait_for_answers(std::uint64_t more) const;
  Counts stop();

 private:
  void run();

  std::uint16_t port_;
  std::string request_;
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> answered_{0};
  std::mutex mutex_;
  Counts counts_;
  std::vector<std::thread> clients_;
};

}  // namespace tollgate::testing
