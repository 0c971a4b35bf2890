// Drives a real spawner process: the parent of these tests plays the worker.
#include "gateway/spawn/spawner.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <cstddef>
#include <fstream>
#include <iterator>
#include <optional>
#include <thread>

#include "base/async.hpp"
#include "gateway/process/ipc.hpp"
#include "gateway/spawn/process_tree.hpp"
#include "gateway/spawn/spawn_protocol.hpp"
#include "gateway/testing/forked_spawner.hpp"

namespace tollgate::gateway {
namespace {

using std::chrono::steady_clock;

class SpawnerProcess : public ::testing::Test {
 protected:
  void SetUp() override { channel_.emplace(loop_, spawner_.start()); }

  void TearDown() override {
    channel_.reset();
    const int status = spawner_.wait();
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }

  void start(std::uint64_t id, const std::string& script, SpawnLimits limits = {}) {
    StartProgram program;
    program.id = id;
    program.limits = limits;
    program.argv = {"/bin/sh", "-c", script};
    program.environment = {"PATH=/usr/bin:/bin"};
    start(program);
  }

  void start(const StartProgram& program) {
    int out[2];
    ASSERT_EQ(pipe2(out, O_CLOEXEC), 0);
    output_.reset(out[0]);
    const UniqueFd write_end(out[1]);
    const UniqueFd nothing(open("/dev/null", O_RDWR | O_CLOEXEC));
    const int files[] = {nothing.get(), write_end.get(), nothing.get()};
    send(program, files);
  }

  void end(std::uint64_t id) { send(EndProgram{id}, {}); }

  std::optional<ProgramEnded> ended() {
    std::optional<ProgramEnded> result;
    run([&]() -> Task<> {
      const auto packet = co_await channel_->receive();
      const auto message = packet ? decode(packet->bytes) : std::nullopt;
      if (message) result = std::get<ProgramEnded>(*message);
    });
    return result;
  }

  std::string output() {
    std::string text;
    char piece[256];
    for (ssize_t count; (count = read(output_.get(), piece, sizeof piece)) > 0;) {
      text.append(piece, static_cast<std::size_t>(count));
    }
    return text;
  }

  void send(const SpawnerMessage& message, std::span<const int> files) {
    const std::string bytes = *encode(message);
    bool sent = false;
    run([&]() -> Task<> {
      const auto result = co_await channel_->send(bytes, files);
      sent = result.has_value();
    });
    ASSERT_TRUE(sent);
  }

  template <class Body>
  void run(Body body) {
    loop_.restart();
    asio::co_spawn(loop_, body(), asio::detached);
    loop_.run_for(std::chrono::seconds(10));
  }

  EventLoop loop_;
  std::optional<Channel> channel_;
  UniqueFd output_;
  testing::ForkedSpawner spawner_;
};

TEST_F(SpawnerProcess, tells_output_exit_code_cpu_and_memory) {
  start(1, "echo hello; exit 3");
  const auto end = ended();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->id, 1u);
  EXPECT_EQ(end->start_error, 0);
  EXPECT_EQ(WEXITSTATUS(end->wait_status), 3);
  EXPECT_GT(end->memory_bytes_peak, 100u << 10);
  EXPECT_EQ(output(), "hello\n");
}

TEST_F(SpawnerProcess, counts_the_cpu_of_grandchildren_already_gone) {
  start(1, "sh -c 'i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done'");
  const auto end = ended();
  ASSERT_TRUE(end);
  EXPECT_GT(end->cpu.count(), 5000);
}

TEST_F(SpawnerProcess, a_missing_program_is_an_errno) {
  StartProgram program;
  program.id = 9;
  program.argv = {"/nowhere/to/be/found"};
  start(program);
  const auto end = ended();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->start_error, ENOENT);
}

TEST_F(SpawnerProcess, a_start_whose_descriptors_do_not_arrive_is_told_as_failed_and_the_next_one_works) {
  start(1, "exit 0");
  ASSERT_TRUE(ended());  // it has opened what it needs itself
  rlimit before{};
  ASSERT_EQ(prlimit(spawner_.pid(), RLIMIT_NOFILE, nullptr, &before), 0);
  const rlimit none_left{3, before.rlim_max};
  ASSERT_EQ(prlimit(spawner_.pid(), RLIMIT_NOFILE, &none_left, nullptr), 0);
  start(2, "echo never");
  const auto failed = ended();
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->start_error, EMFILE);
  ASSERT_EQ(prlimit(spawner_.pid(), RLIMIT_NOFILE, &before, nullptr), 0);
  start(3, "echo once");
  const auto end = ended();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->start_error, 0);
  EXPECT_EQ(output(), "once\n");
}

TEST_F(SpawnerProcess, ends_a_program_that_ignores_sigterm) {
  start(1, "trap '' TERM; while :; do sleep 10; done");
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  end(1);
  const auto told = ended();
  ASSERT_TRUE(told);
  EXPECT_EQ(WTERMSIG(told->wait_status), SIGKILL);
}

TEST_F(SpawnerProcess, a_grandchild_that_left_its_session_and_keeps_the_pipe_is_gone_before_the_end_is_told) {
  start(1, "setsid sh -c 'sleep 60' & echo started");
  const auto end = ended();
  ASSERT_TRUE(end);
  EXPECT_EQ(output(), "started\n");  // returns: no one holds the pipe
  EXPECT_TRUE(descendants_of(spawner_.pid()).empty());
}

TEST_F(SpawnerProcess, a_daemon_that_scrubbed_its_environment_is_found_too) {
  start(1, "env -i /usr/bin/setsid /bin/sh -c '/bin/sleep 60 & exit 0' & sleep 0.2; exit 0");
  ASSERT_TRUE(ended());
  EXPECT_TRUE(descendants_of(spawner_.pid()).empty());
}

TEST_F(SpawnerProcess, the_end_of_one_run_leaves_the_orphans_of_another) {
  start(1, "(setsid sleep 60 &) ; sleep 60");
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  start(2, "exit 0");
  const auto end = ended();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->id, 2u);
  EXPECT_EQ(descendants_of(spawner_.pid()).size(), 3u) << "the shell, its sleep, and the orphan";
}

TEST_F(SpawnerProcess, nothing_outlives_the_worker) {
  start(1, "(setsid sleep 60 &) ; sleep 60");
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  const auto everyone = descendants_of(spawner_.pid());
  EXPECT_EQ(everyone.size(), 3u);
  channel_.reset();
  const auto limit = steady_clock::now() + std::chrono::seconds(5);
  for (const pid_t pid : everyone) {
    while (kill(pid, 0) == 0 && steady_clock::now() < limit)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    EXPECT_NE(kill(pid, 0), 0);
  }
}

TEST_F(SpawnerProcess, passes_no_descriptor_but_three_and_obeys_the_limits) {
  start(1, "ls /proc/self/fd | wc -l; ulimit -n; ulimit -t", {.cpu_seconds = 5, .open_files = 33});
  ASSERT_TRUE(ended());
  EXPECT_EQ(output(), "4\n33\n5\n");  // 0, 1, 2 and the folder that ls reads
}

TEST_F(SpawnerProcess, a_hundred_at_once_are_all_told) {
  for (std::uint64_t id = 1; id <= 100; ++id) start(id, "exit 0");
  std::uint64_t sum = 0;
  for (int i = 0; i < 100; ++i) {
    const auto end = ended();
    ASSERT_TRUE(end);
    sum += end->id;
  }
  EXPECT_EQ(sum, 5050u);
}

// For the first packets that this process sends from now on the kernel has no memory.
void refuse_two_packets() {
  sock_filter filter[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                          BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sendmsg, 0, 1),
                          BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
                          BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const sock_fprog program{.len = std::size(filter), .filter = filter};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  const auto asked = static_cast<int>(
      syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);  // the spawner's own thread is to get the signals
  std::thread([asked] {
    for (int packet = 0;; ++packet) {
      seccomp_notif call{};
      if (ioctl(asked, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) return;
      seccomp_notif_resp answer{.id = call.id};
      if (packet < 2) {
        answer.error = -ENOBUFS;
      } else {
        answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
      }
      ioctl(asked, SECCOMP_IOCTL_NOTIF_SEND, &answer);
    }
  }).detach();
}

TEST(SpawnerReports, are_not_lost_when_the_kernel_has_no_memory_for_them) {
  testing::ForkedSpawner spawner;
  const UniqueFd worker = spawner.start(&refuse_two_packets);
  StartProgram program;
  program.id = 1;
  program.argv = {"/bin/true"};
  const UniqueFd nothing(open("/dev/null", O_RDWR | O_CLOEXEC));
  const int files[] = {nothing.get(), nothing.get(), nothing.get()};
  ASSERT_GT(send_packet(worker.get(), *encode(program), files), 0);
  pollfd told{.fd = worker.get(), .events = POLLIN, .revents = 0};
  ASSERT_EQ(poll(&told, 1, 5'000), 1);
  const auto room = packet_room();
  Packet packet;
  ASSERT_GT(receive_packet(worker.get(), {room.get(), packet_bytes_max}, packet), 0);
  const auto message = decode(packet.bytes);
  ASSERT_TRUE(message);
  EXPECT_EQ(std::get<ProgramEnded>(*message).id, 1u);
}

TEST_F(SpawnerProcess, a_program_that_lets_itself_be_traced_and_stops_is_ended) {
  start(1,
        "exec python3 -c 'import ctypes, os, signal; ctypes.CDLL(None).ptrace(0, 0, 0, 0); "
        "os.kill(os.getpid(), signal.SIGTRAP)'");
  const auto end = ended();
  ASSERT_TRUE(end);
  EXPECT_TRUE(WIFSIGNALED(end->wait_status)) << end->wait_status;
}

}  // namespace
}  // namespace tollgate::gateway
