// For tests of the gateway: programs and runs without an engine, whose behaviour is a script.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "sandbox/program.hpp"

namespace tollgate::gateway::testing {

// What a fake guest does in one slice, and in which state that leaves it.
struct Slice {
  sandbox::Run::State state = sandbox::Run::State::ended;
  std::chrono::milliseconds sleep{0};  // for `waiting`; 0: until woken
  std::function<void(const sandbox::Input&, sandbox::Sink&)> act = {};
};

struct Script {
  std::deque<Slice> slices;  // the last one is repeated
  sandbox::Outcome outcome;
};

class FakeRun : public sandbox::Run {
 public:
  FakeRun(Script script, const sandbox::Input& input, sandbox::Sink* sink)
      : script_(std::move(script)), input_(input), sink_(sink) {}

  State resume() override {
    ++resumed;
    if (cancelled_) {
      script_.outcome.ending = sandbox::Ending::cancelled;
      return State::ended;
    }
    const Slice slice = script_.slices.front();
    if (script_.slices.size() > 1) script_.slices.pop_front();
    if (on_resume) on_resume();
    if (slice.act) slice.act(input_, *sink_);
    wake_at_.reset();
    if (slice.sleep.count() > 0) wake_at_ = std::chrono::steady_clock::now() + slice.sleep;
    return slice.state;
  }
  void cancel() override { cancelled_ = true; }
  std::optional<sandbox::SteadyTime> wake_at() const override { return wake_at_; }
  sandbox::Outcome take_outcome() override { return script_.outcome; }

  int resumed = 0;
  std::function<void()> on_resume;

 private:
  Script script_;
  sandbox::Input input_;
  sandbox::Sink* sink_;
  std::optional<sandbox::SteadyTime> wake_at_;
  bool cancelled_ = false;
};

class FakeProgram : public sandbox::Program {
 public:
  explicit FakeProgram(Script script) : script_(std::move(script)) {}
  std::unique_ptr<sandbox::Run> start(const sandbox::Input& input, sandbox::Sink& sink) override {
    ++started;
    return std::make_unique<FakeRun>(script_, input, &sink);
  }
  std::string_view name() const override { return "fake"; }
  std::string_view digest() const override { return "00"; }

  int started = 0;

 private:
  Script script_;
};

}  // namespace tollgate::gateway::testing
