#include "base/read_poll.hpp"

#include <unistd.h>

#include <algorithm>

namespace tollgate {

ReadPoll::ReadPoll(asio::execution_context& loop)
    : service(loop),
      turn_end_(asio::use_service<TurnEnd>(loop)),
      descriptor_(static_cast<EventLoop&>(loop)) {}

void ReadPoll::shutdown() {
  error_code ignored;
  descriptor_.close(ignored);
}

bool ReadPoll::open() {
  const int fd = ::epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) return false;
  error_code failed;
  descriptor_.assign(fd, failed);
  if (failed) {
    ::close(fd);
    return false;
  }
  wait();
  return true;
}

bool ReadPoll::watch(int fd, Reader& reader) {
  if (!descriptor_.is_open() && !open()) return false;
  return control(EPOLL_CTL_ADD, fd, reader);
}

// A modification of an edge-triggered registration looks again, even when nothing is modified.
void ReadPoll::tell_again(int fd, Reader& reader) {
  if (descriptor_.is_open()) control(EPOLL_CTL_MOD, fd, reader);
}

bool ReadPoll::control(int operation, int fd, Reader& reader) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLRDHUP | EPOLLET;
  event.data.ptr = &reader;
  return ::epoll_ctl(descriptor_.native_handle(), operation, fd, &event) == 0;
}

void ReadPoll::forget(int fd, Reader& reader) {
  if (descriptor_.is_open()) ::epoll_ctl(descriptor_.native_handle(), EPOLL_CTL_DEL, fd, nullptr);
  for (int i = 0; i < batch_end_; ++i) {
    if (batch_[i].data.ptr == &reader) batch_[i].data.ptr = nullptr;
  }
}

void ReadPoll::wait() {
  descriptor_.async_wait(Descriptor::wait_read, [this](const error_code& error) {
    if (error) return;
    dispatch();
    wait();
  });
}

// What does not fit into a batch comes with the next: the wait for it ends at once.
void ReadPoll::dispatch() {
  const TurnEnd::Scope turn(turn_end_);
  const int ready = ::epoll_wait(descriptor_.native_handle(), batch_.data(), batch_max, 0);
  batch_end_ = std::max(ready, 0);
  for (int i = 0; i < batch_end_; ++i) {
    const bool end = (batch_[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    static_cast<Reader*>(batch_[i].data.ptr)->on_readable(end ? Seen::end : Seen::bytes);
  }
  for (int i = 0; i < batch_end_; ++i) {
    auto* const reader = static_cast<Reader*>(batch_[i].data.ptr);
    if (reader != nullptr) reader->go_on();
  }
  batch_end_ = 0;
}

}  // namespace tollgate
