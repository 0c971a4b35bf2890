// For tests of preview 1: a memory, a body and a sink without any engine, and calls by name.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/wasi/preview1.hpp"

namespace tollgate::sandbox::testing {

class StringSource : public Source {
 public:
  explicit StringSource(std::string body) : body_(std::move(body)) {}
  Piece read(std::size_t max) override {
    if (later_ > 0) {
      --later_;
      return {State::later, {}};
    }
    if (at_ == body_.size()) return {State::end, {}};
    const std::string_view piece = std::string_view(body_).substr(at_, max);
    at_ += piece.size();
    return {State::ready, piece};
  }
  void say_later(int times) { later_ = times; }

 private:
  std::string body_;
  std::size_t at_ = 0;
  int later_ = 0;
};

struct StringSink : Sink {
  State write(std::string_view bytes) override {
    if (answer == State::accepted) output += bytes;
    return answer;
  }
  void log(std::string_view bytes) override { logged += bytes; }
  State answer = State::accepted;
  std::string output;
  std::string logged;
};

// One run of a guest that exists only as its calls.
class FakeGuest {
 public:
  static constexpr std::uint32_t memory_bytes = 256 * 1024;

  explicit FakeGuest(Input input, std::string body = {})
      : memory_(memory_bytes), source_(std::move(body)), state_(with_body(input), sink_) {}

  // Calls the function of that name; waits are resumed at once, up to `resumes` times.
  HostCall call(std::string_view name, std::initializer_list<std::uint64_t> arguments,
                int resumes = 1 << 20) {
    const auto all = preview1_functions();
    const auto found = std::find_if(all.begin(), all.end(), [name](const auto& f) { return f.name == name; });
    if (found == all.end()) {
      ADD_FAILURE() << "no function " << name;
      return HostCall::done;
    }
    for (;;) {
      std::vector<HostValue> slots(std::max<std::size_t>(arguments.size(), 1));
      std::size_t at = 0;
      for (const std::uint64_t argument : arguments) slots[at++].u64 = argument;
      const HostCall said = found->call(state_, memory(), slots.data());
      if (said == HostCall::wait && resumes-- > 0) {
        ++waits;
        continue;
      }
      error = static_cast<wasi::Errno>(slots[0].u64);
      return said;
    }
  }
  // The same, for calls that must be done and are judged by their errno.
  wasi::Errno errno_of(std::string_view name, std::initializer_list<std::uint64_t> arguments) {
    EXPECT_EQ(call(name, arguments), HostCall::done) << name;
    return error;
  }

  GuestMemory memory() { return {memory_.data(), memory_.size()}; }
  std::vector<std::uint8_t>& bytes() { return memory_; }
  void put(std::uint32_t address, std::string_view text) {
    std::copy(text.begin(), text.end(), &memory_[address]);
  }
  template <std::integral T>
  void put(std::uint32_t address, T value) {
    ASSERT_TRUE(memory().store(address, value));
  }
  std::uint32_t u32(std::uint32_t address) { return *memory().load<std::uint32_t>(address); }
  std::uint64_t u64(std::uint32_t address) { return *memory().load<std::uint64_t>(address); }
  std::string text(std::uint32_t address, std::size_t length) {
    return {reinterpret_cast<const char*>(&memory_[address]), length};
  }

  Preview1& state() { return state_; }
  StringSource& source() { return source_; }
  StringSink& sink() { return sink_; }

  wasi::Errno error = wasi::Errno::success;
  int waits = 0;

 private:
  const Input& with_body(Input& input) {
    input.body = &source_;
    return input;
  }

  std::vector<std::uint8_t> memory_;
  StringSource source_;
  StringSink sink_;
  Preview1 state_;
};

}  // namespace tollgate::sandbox::testing
