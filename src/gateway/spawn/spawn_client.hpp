// A worker's end of the conversation with its spawner.
//
// Threads: the worker's one. The client outlives its runs. When the spawner ends, every run of it ends with
// ProgramEnded::start_error EPIPE; whoever comes before connect() gives another can wait for it.
#pragma once

#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <memory>
#include <unordered_map>

#include "base/async.hpp"
#include "base/unique_fd.hpp"
#include "base/wakeup.hpp"
#include "gateway/process/ipc.hpp"
#include "gateway/spawn/program_start.hpp"
#include "gateway/spawn/spawn_protocol.hpp"

namespace tollgate::gateway {

class SpawnClient {
 public:
  explicit SpawnClient(EventLoop& loop) : loop_(loop) {}
  SpawnClient(const SpawnClient&) = delete;
  SpawnClient& operator=(const SpawnClient&) = delete;

  // The spawner at the other end of `socket` from now on.
  void connect(UniqueFd socket);

  // Descriptors of a program; the caller's copies can be closed when start() has completed.
  using Files = ProgramFiles;

  // One program that was asked for, until its end is known. In the frame of the coroutine that waits for it.
  class Run
      : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
   public:
    explicit Run(SpawnClient& client);
    ~Run();
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;

    bool has_spawner() const { return client_.channel_ != nullptr; }
    // Completes when there is a spawner to ask, or when end() is called.
    Task<> spawner_connected();

    // Completes when the spawner has been asked; whether the program could be started is told by its end. The
    // error is a sentence. start.id is set here. Call once.
    Task<expected<void, std::string>> start(StartProgram start, Files files);

    // Asks for the end of the program and of all its descendants. It is told like any other end. Before
    // start(): ends the wait for a spawner.
    void end();

    // Completes when the program and all its descendants are gone.
    Task<> ended();
    const ProgramEnded& report() const { return report_; }

   private:
    friend class SpawnClient;
    SpawnClient& client_;
    std::uint64_t id_;
    bool asked_ = false;
    bool given_up_ = false;  // before it was asked
    bool over_ = false;
    ProgramEnded report_;
    Wakeup wakeup_;
  };

 private:
  Task<> listen(std::shared_ptr<Channel> channel);
  Task<> send(std::shared_ptr<Channel> channel, std::string bytes);
  void all_gone();

  EventLoop& loop_;
  std::shared_ptr<Channel> channel_;  // kept by whoever waits in it
  std::unordered_map<std::uint64_t, Run*> runs_;
  boost::intrusive::list<Run, boost::intrusive::constant_time_size<false>> waiting_;  // for a spawner
  std::uint64_t last_id_ = 0;
};

}  // namespace tollgate::gateway
