// Packets between the supervisor and a worker: a SOCK_SEQPACKET socket pair, descriptors as SCM_RIGHTS.
//
// A packet arrives whole or not at all. Large content does not travel in it but in a sealed memory file
// (memory_file.hpp). Both ends wait for each other only in coroutines, never in a system call.
#pragma once

#include <sys/types.h>

#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/async.hpp"
#include "base/expected.hpp"
#include "base/unique_fd.hpp"

namespace tollgate::gateway {

// Well below the default socket buffer, so that a packet always fits.
inline constexpr std::size_t packet_bytes_max = 128u << 10;
// The kernel's bound is 253 (SCM_MAX_FD).
inline constexpr std::size_t packet_fds_max = 250;

struct Packet {
  std::string bytes;
  std::vector<UniqueFd> fds;
};

// The system calls below a Channel, for a process without an event loop; neither waits. -1 with errno;
// EMSGSIZE: the packet is over its bounds, or there was no room for all its descriptors; what came of it is
// in the packet. receive_packet() gives 0 when the other process hung up, and uses `room`, of
// packet_bytes_max bytes, for whatever comes.
ssize_t send_packet(int socket, std::string_view bytes, std::span<const int> fds = {});
ssize_t receive_packet(int socket, std::span<char> room, Packet& packet);
// Uninitialised, so that only what packets fill takes memory.
std::unique_ptr<char[]> packet_room();

// Why nothing more will come. `closed`: the other process ended or hung up.
struct ChannelError {
  enum class Kind : std::uint8_t { closed, failed } kind;
  std::string detail;
};

class Channel {
 public:
  Channel(EventLoop& loop, UniqueFd socket);

  // Completes when the kernel has taken the packet. Sends may overlap; each packet stays whole, and those of
  // one coroutine stay in order. The descriptors are borrowed until then.
  Task<expected<void, ChannelError>> send(std::string_view bytes, std::span<const int> fds = {});

  // One reader at a time.
  Task<expected<Packet, ChannelError>> receive();

  // Ends what waits in send and receive with `closed`.
  void close();

 private:
  using Descriptor = asio::posix::basic_stream_descriptor<Executor>;
  Descriptor socket_;
  std::unique_ptr<char[]> room_;
};

struct SocketPair {
  UniqueFd ours;
  UniqueFd theirs;
};
expected<SocketPair, std::string> make_channel_pair();

}  // namespace tollgate::gateway
