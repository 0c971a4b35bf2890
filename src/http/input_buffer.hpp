// The bytes of a connection that have arrived and are not used up. It has no bound of its own: who fills it
// keeps one. make_space() and assign() move the bytes, so views into them (a head's) end there.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

#include "http/limits.hpp"

namespace tollgate::http {

class InputBuffer {
 public:
  std::string_view unread() const { return {data_.get() + begin_, end_ - begin_}; }
  char* unread_data() { return data_.get() + begin_; }
  void consume(std::size_t bytes) { begin_ += bytes; }

  // Free space after the unread bytes. make_space() makes some where there is none: by moving them to the
  // front, else by growing.
  std::span<char> space() const { return {data_.get() + end_, capacity_ - end_}; }
  void make_space() {
    if (begin_ == end_) begin_ = end_ = 0;
    if (end_ < capacity_) return;
    if (begin_ > 0) {
      std::memmove(data_.get(), data_.get() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    } else {
      grow(std::max(input_bytes_initial, capacity_ * 2));
    }
  }
  void append(std::size_t bytes) { end_ += bytes; }

  // Takes the place of unread bytes, of which there are none.
  void assign(std::string_view bytes) {
    begin_ = end_ = 0;
    if (capacity_ < bytes.size()) grow(bytes.size());
    if (!bytes.empty()) std::memcpy(data_.get(), bytes.data(), bytes.size());
    end_ = bytes.size();
  }

  // A connection that once had a large head does not keep its memory.
  void shrink() {
    if (begin_ == end_ && capacity_ > input_bytes_initial) *this = {};
  }

 private:
  void grow(std::size_t capacity) {
    std::unique_ptr<char[]> bigger(new char[capacity]);
    if (end_ > 0) std::memcpy(bigger.get(), data_.get(), end_);
    data_ = std::move(bigger);
    capacity_ = capacity;
  }

  std::unique_ptr<char[]> data_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace tollgate::http
