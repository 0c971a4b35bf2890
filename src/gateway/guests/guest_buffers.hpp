// What a request to a guest fills and the next one uses again: environment, output, response head. Kept in a
// pool per worker, so that the request path allocates nothing once it is warm.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gateway/abi/cgi_request.hpp"
#include "gateway/abi/cgi_response.hpp"

namespace tollgate::gateway {

struct GuestBuffers {
  abi::CgiRequest cgi_request;
  abi::CgiResponse cgi_response;
  std::string output;
};

class GuestBufferPool {
 public:
  class Lease {
   public:
    explicit Lease(GuestBufferPool& pool) : pool_(pool), buffers_(pool.take()) {}
    ~Lease() { pool_.give_back(std::move(buffers_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    GuestBuffers& operator*() { return *buffers_; }
    GuestBuffers* operator->() { return buffers_.get(); }

   private:
    GuestBufferPool& pool_;
    std::unique_ptr<GuestBuffers> buffers_;
  };

 private:
  // Idle ones are few and small: what a burst or one large answer needed is not kept for ever.
  static constexpr std::size_t idle_max = 64;
  static constexpr std::size_t output_bytes_kept = 64 * 1024;

  std::unique_ptr<GuestBuffers> take() {
    if (idle_.empty()) return std::make_unique<GuestBuffers>();
    std::unique_ptr<GuestBuffers> buffers = std::move(idle_.back());
    idle_.pop_back();
    return buffers;
  }
  void give_back(std::unique_ptr<GuestBuffers> buffers) {
    if (idle_.size() >= idle_max || buffers->output.capacity() > output_bytes_kept) return;
    buffers->output.clear();
    idle_.push_back(std::move(buffers));
  }

  std::vector<std::unique_ptr<GuestBuffers>> idle_;
};

}  // namespace tollgate::gateway
