#include "gateway/process/listeners.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>

namespace tollgate::gateway {
namespace {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

std::optional<SocketAddress> parse(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return std::nullopt;
  std::uint16_t port = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, port);
  if (error != std::errc{} || stop != end) return std::nullopt;

  SocketAddress address;
  std::string host = text.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(address.storage);
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    address.length = sizeof v6;
    if (inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &v6.sin6_addr) != 1) return std::nullopt;
    return address;
  }
  auto& v4 = reinterpret_cast<sockaddr_in&>(address.storage);
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  address.length = sizeof v4;
  if (inet_pton(AF_INET, host.c_str(), &v4.sin_addr) != 1) return std::nullopt;
  return address;
}

enum class Sharing : std::uint8_t { exclusive, joins };

bool set(int fd, int level, int option, int value) {
  return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

expected<UniqueFd, std::string> open_socket(const std::string& text, Sharing sharing) {
  const auto address = parse(text);
  if (!address) return unexpected(fmt::format("{}: expected ADDRESS:PORT with a numeric address", text));
  UniqueFd fd(::socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const auto failure = [&text](const char* what) {
    if (errno == EADDRINUSE) {
      return unexpected(
          fmt::format("{}: another process (perhaps another tollgate) listens there already", text));
    }
    return unexpected(fmt::format("{}: {}: {}", text, what, strerror(errno)));
  };
  if (!fd) return failure("socket");
  // REUSEADDR gets past connections in TIME_WAIT; it does not allow a second listener.
  if (!set(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1)) return failure("SO_REUSEADDR");
  if (address->storage.ss_family == AF_INET6) set(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
  if (sharing == Sharing::joins && !set(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1))
    return failure("SO_REUSEPORT");
  if (bind(fd.get(), address->get(), address->length) != 0) return failure("bind");
  // One that joins starts to listen in activate().
  if (sharing == Sharing::exclusive && ::listen(fd.get(), listen_backlog) != 0) return failure("listen");
  return fd;
}

}  // namespace

expected<UniqueFd, std::string> listen_alone(const std::string& address) {
  return open_socket(address, Sharing::exclusive);
}

std::string bound_address(int socket) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (getsockname(socket, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return {};
  char text[INET6_ADDRSTRLEN] = {};
  if (storage.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
    inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
    return fmt::format("[{}]:{}", text, ntohs(v6.sin6_port));
  }
  const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
  inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
  return fmt::format("{}:{}", text, ntohs(v4.sin_port));
}

expected<ListenAddress, std::string> ListenAddress::open(const std::string& address, unsigned sockets) {
  auto first = open_socket(address, Sharing::exclusive);
  if (!first) return unexpected(first.error());
  if (!set(first->get(), SOL_SOCKET, SO_REUSEPORT, 1)) {
    return unexpected(fmt::format("{}: SO_REUSEPORT: {}", address, strerror(errno)));
  }
  ListenAddress opened;
  opened.configured_ = address;
  opened.actual_ = bound_address(first->get());
  opened.sockets_.push_back(std::move(*first));
  if (auto joined = opened.resize(sockets); !joined) return unexpected(joined.error());
  return opened;
}

// The kernel numbers the sockets in the order in which they began to listen: those that close come last.
void ListenAddress::steer_to_first(unsigned sockets) {
  if (sockets >= this->sockets()) {
    set(sockets_.front().get(), SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, 0);
    return;
  }
  std::array<sock_filter, 3> code{{
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_RANDOM)},
      {BPF_ALU | BPF_MOD | BPF_K, 0, 0, sockets},
      {BPF_RET | BPF_A, 0, 0, 0},
  }};
  const sock_fprog program{.len = code.size(), .filter = code.data()};
  setsockopt(sockets_.front().get(), SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program);
}

expected<void, std::string> ListenAddress::resize(unsigned sockets) {
  while (sockets_.size() > sockets) sockets_.pop_back();
  if (sockets_.size() < sockets) steer_to_first(sockets);
  while (sockets_.size() < sockets) {
    auto next = open_socket(actual_, Sharing::joins);
    if (!next) return unexpected(next.error());
    sockets_.push_back(std::move(*next));
  }
  return {};
}

// Listening twice only sets the backlog again.
expected<void, std::string> ListenAddress::activate() {
  for (const UniqueFd& fd : sockets_) {
    if (::listen(fd.get(), listen_backlog) != 0)
      return unexpected(fmt::format("{}: listen: {}", actual_, strerror(errno)));
  }
  return {};
}

expected<ListenerSet, std::string> ListenerSet::open(const std::vector<std::string>& addresses,
                                                     unsigned sockets, const ListenerSet* serving) {
  ListenerSet set;
  std::vector<std::pair<ListenAddress*, unsigned>> grown;
  const auto add = [&](const std::string& address) -> expected<void, std::string> {
    if (serving != nullptr) {
      for (const auto& kept : serving->addresses_) {
        if (kept->configured() != address) continue;
        grown.emplace_back(kept.get(), kept->sockets());
        set.addresses_.push_back(kept);
        return kept->sockets() < sockets ? kept->resize(sockets) : expected<void, std::string>{};
      }
    }
    auto opened = ListenAddress::open(address, sockets);
    if (!opened) return unexpected(opened.error());
    set.addresses_.push_back(std::make_shared<ListenAddress>(std::move(*opened)));
    return {};
  };
  for (const std::string& address : addresses) {
    const auto added = add(address);
    if (added) continue;
    for (const auto& [kept, before] : grown) static_cast<void>(kept->resize(before));
    return unexpected(added.error());
  }
  return set;
}

expected<void, std::string> ListenerSet::activate() {
  for (const auto& address : addresses_) {
    if (auto active = address->activate(); !active) return active;
  }
  return {};
}

void ListenerSet::steer_to_first(unsigned sockets) {
  for (const auto& address : addresses_) address->steer_to_first(sockets);
}

void ListenerSet::shrink(unsigned sockets) {
  for (const auto& address : addresses_) {
    if (address->sockets() > sockets) static_cast<void>(address->resize(sockets));  // closing does not fail
  }
}

std::vector<std::string> ListenerSet::actual() const {
  std::vector<std::string> actual;
  for (const auto& address : addresses_) actual.push_back(address->actual());
  return actual;
}

std::vector<int> ListenerSet::of_worker(unsigned index) const {
  std::vector<int> sockets;
  for (const auto& address : addresses_) sockets.push_back(address->socket(index));
  return sockets;
}

}  // namespace tollgate::gateway
