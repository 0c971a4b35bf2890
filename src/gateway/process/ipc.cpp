#include "gateway/process/ipc.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace tollgate::gateway {
namespace {

union ControlBuffer {
  cmsghdr align;
  char bytes[CMSG_SPACE(packet_fds_max * sizeof(int))];
};

// Takes ownership of every descriptor that came, also of those in a packet that will be refused.
void adopt_fds(msghdr& message, std::vector<UniqueFd>& fds) {
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
      fds.emplace_back(fd);
    }
  }
}

ChannelError closed() {
  return {ChannelError::Kind::closed, "the other process has ended"};
}
ChannelError failed(const char* what) {
  return {ChannelError::Kind::failed, fmt::format("{}: {}", what, strerror(errno))};
}

}  // namespace

ssize_t send_packet(int socket, std::string_view bytes, std::span<const int> fds) {
  iovec part{.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()};
  ControlBuffer control;
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
  }
  return sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

ssize_t receive_packet(int socket, std::span<char> room, Packet& packet) {
  iovec part{.iov_base = room.data(), .iov_len = room.size()};
  ControlBuffer control;
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof control.bytes;
  const ssize_t n = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (n < 0) return n;
  adopt_fds(message, packet.fds);
  packet.bytes.assign(room.data(), static_cast<std::size_t>(n));
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    errno = EMSGSIZE;
    return -1;
  }
  return n;
}

std::unique_ptr<char[]> packet_room() {
  return std::make_unique_for_overwrite<char[]>(packet_bytes_max);
}

Channel::Channel(EventLoop& loop, UniqueFd socket) : socket_(loop, socket.release()), room_(packet_room()) {}

Task<expected<void, ChannelError>> Channel::send(std::string_view bytes, std::span<const int> fds) {
  if (bytes.size() > packet_bytes_max || fds.size() > packet_fds_max) {
    co_return unexpected(ChannelError{ChannelError::Kind::failed, "a packet over its bounds"});
  }
  while (socket_.is_open()) {
    if (send_packet(socket_.native_handle(), bytes, fds) >= 0) co_return expected<void, ChannelError>{};
    if (errno == EAGAIN || errno == EINTR) {
      co_await socket_.async_wait(Descriptor::wait_write, use_task_tuple);
    } else if (errno == ETOOMANYREFS || errno == ENOBUFS || errno == ENOMEM) {
      // Too many descriptors are under way (RLIMIT_NOFILE bounds them per user), or the kernel has no memory
      // for the packet: wait until some have been taken.
      SteadyTimer pause(socket_.get_executor(), std::chrono::milliseconds(1));
      co_await pause.async_wait(use_task_tuple);
    } else if (errno == EPIPE || errno == ECONNRESET) {
      co_return unexpected(closed());
    } else {
      co_return unexpected(failed("sendmsg"));
    }
  }
  co_return unexpected(closed());
}

Task<expected<Packet, ChannelError>> Channel::receive() {
  while (socket_.is_open()) {
    Packet packet;
    const ssize_t n = receive_packet(socket_.native_handle(), {room_.get(), packet_bytes_max}, packet);
    if (n > 0) co_return packet;
    if (n == 0 || errno == ECONNRESET) co_return unexpected(closed());
    if (errno == EMSGSIZE) {
      co_return unexpected(
          ChannelError{ChannelError::Kind::failed, "a packet over its bounds, or out of descriptors"});
    }
    if (errno != EAGAIN && errno != EINTR) co_return unexpected(failed("recvmsg"));
    co_await socket_.async_wait(Descriptor::wait_read, use_task_tuple);
  }
  co_return unexpected(closed());
}

void Channel::close() {
  error_code ignored;
  socket_.close(ignored);
}

expected<SocketPair, std::string> make_channel_pair() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
    return unexpected(fmt::format("socketpair: {}", strerror(errno)));
  }
  return SocketPair{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

}  // namespace tollgate::gateway
