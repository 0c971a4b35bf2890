#include "gateway/backends/upstream/resolver.hpp"

#include <ares.h>
#include <netinet/in.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <map>
#include <memory>

namespace tollgate::gateway {
namespace {

using Descriptor = asio::posix::basic_stream_descriptor<Executor>;

// One question to c-ares, whose sockets it watches on the loop. c-ares closes them itself, after it has said
// that it waits for nothing on them any more.
class Question {
 public:
  explicit Question(EventLoop& loop) : loop_(loop), timer_(loop) {}
  ~Question() {
    if (channel_ != nullptr) ares_destroy(channel_);
  }
  Question(const Question&) = delete;
  Question& operator=(const Question&) = delete;

  Task<expected<Resolved, std::string>> ask(const std::string& host, const std::string& name_servers);

 private:
  struct Watched {
    explicit Watched(EventLoop& loop, int fd) : descriptor(loop, fd) {}
    ~Watched() { descriptor.release(); }
    Descriptor descriptor;
    bool read_wanted = false;
    bool write_wanted = false;
  };

  static void on_state(void* self, ares_socket_t fd, int readable, int writable);
  static void on_answer(void* self, int status, int timeouts, ares_addrinfo* found);
  void watch(ares_socket_t fd, Descriptor::wait_type what);

  EventLoop& loop_;
  SteadyTimer timer_;
  ares_channel channel_ = nullptr;
  std::map<ares_socket_t, std::shared_ptr<Watched>> watched_;
  bool answered_ = false;
  int status_ = ARES_SUCCESS;
  Resolved found_;
};

Task<expected<Resolved, std::string>> Question::ask(const std::string& host,
                                                    const std::string& name_servers) {
  ares_options options{};
  options.sock_state_cb = on_state;
  options.sock_state_cb_data = this;
  options.timeout = 1500;  // ms, per try
  options.tries = 2;
  const int flags = ARES_OPT_SOCK_STATE_CB | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES;
  status_ = ares_init_options(&channel_, &options, flags);
  if (status_ != ARES_SUCCESS) {
    channel_ = nullptr;
    co_return unexpected(host + ": " + ares_strerror(status_));
  }
  if (!name_servers.empty()) {
    const int set = ares_set_servers_ports_csv(channel_, name_servers.c_str());
    if (set != ARES_SUCCESS) co_return unexpected(name_servers + ": " + ares_strerror(set));
  }
  ares_addrinfo_hints hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  ares_getaddrinfo(channel_, host.c_str(), nullptr, &hints, on_answer, this);

  const SteadyTime end = std::chrono::steady_clock::now() + resolve_limit;
  while (!answered_) {
    timeval next{1, 0};
    ares_timeout(channel_, &next, &next);
    timer_.expires_after(std::chrono::seconds(next.tv_sec) + std::chrono::microseconds(next.tv_usec));
    const auto [interrupted] = co_await timer_.async_wait(use_task_tuple);
    if (answered_) break;
    if (std::chrono::steady_clock::now() >= end) ares_cancel(channel_);
    if (!interrupted) ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
  }
  if (status_ == ARES_SUCCESS && !found_.addresses.empty()) co_return std::move(found_);
  const int why = status_ == ARES_SUCCESS ? ARES_ENODATA : status_;
  co_return unexpected("the name " + host + " has no address: " + ares_strerror(why));
}

void Question::on_state(void* self, ares_socket_t fd, int readable, int writable) {
  auto& question = *static_cast<Question*>(self);
  if (readable == 0 && writable == 0) {
    question.watched_.erase(fd);
    return;
  }
  std::shared_ptr<Watched>& watched = question.watched_[fd];
  if (!watched) watched = std::make_shared<Watched>(question.loop_, fd);
  const bool begins_read = readable != 0 && !watched->read_wanted;
  const bool begins_write = writable != 0 && !watched->write_wanted;
  watched->read_wanted = readable != 0;
  watched->write_wanted = writable != 0;
  if (begins_read) question.watch(fd, Descriptor::wait_read);
  if (begins_write) question.watch(fd, Descriptor::wait_write);
}

// The handler outlives nothing: a question that has ended has let go of its descriptors.
void Question::watch(ares_socket_t fd, Descriptor::wait_type what) {
  const std::shared_ptr<Watched>& watched = watched_.at(fd);
  watched->descriptor.async_wait(
      what, [this, fd, what, kept = std::weak_ptr<Watched>(watched)](const error_code& error) {
        if (error || kept.expired()) return;
        const bool is_read = what == Descriptor::wait_read;
        ares_process_fd(channel_, is_read ? fd : ARES_SOCKET_BAD, is_read ? ARES_SOCKET_BAD : fd);
        const std::shared_ptr<Watched> still = kept.lock();
        if (still && (is_read ? still->read_wanted : still->write_wanted)) watch(fd, what);
      });
}

void Question::on_answer(void* self, int status, int, ares_addrinfo* found) {
  auto& question = *static_cast<Question*>(self);
  question.answered_ = true;
  question.status_ = status;
  int ttl = static_cast<int>(resolve_ttl_max.count());
  for (const ares_addrinfo_node* node = found != nullptr ? found->nodes : nullptr; node != nullptr;
       node = node->ai_next) {
    asio::ip::address address;
    if (node->ai_family == AF_INET) {
      const auto& v4 = *reinterpret_cast<const sockaddr_in*>(node->ai_addr);
      address = asio::ip::address_v4(ntohl(v4.sin_addr.s_addr));
    } else if (node->ai_family == AF_INET6) {
      const auto& v6 = *reinterpret_cast<const sockaddr_in6*>(node->ai_addr);
      asio::ip::address_v6::bytes_type bytes;
      std::copy_n(v6.sin6_addr.s6_addr, bytes.size(), bytes.begin());
      address = asio::ip::address_v6(bytes, v6.sin6_scope_id);
    } else {
      continue;
    }
    question.found_.addresses.push_back(address.to_string());
    ttl = std::min(ttl, node->ai_ttl);
  }
  question.found_.ttl = std::clamp(std::chrono::seconds(ttl), resolve_ttl_min, resolve_ttl_max);
  if (found != nullptr) ares_freeaddrinfo(found);
  question.timer_.cancel();
}

}  // namespace

Task<expected<Resolved, std::string>> resolve(EventLoop& loop, std::string host, std::string name_servers) {
  error_code not_literal;
  asio::ip::make_address(host, not_literal);
  if (!not_literal) co_return Resolved{{host}, resolve_ttl_max};
  Question question(loop);
  co_return co_await question.ask(host, name_servers);
}

}  // namespace tollgate::gateway
