// What guests do to each other and to the worker they share: loops beside a benign route, many that sleep,
// one that computes.
#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <map>
#include <stdexcept>
#include <thread>

#include "bench/arm.hpp"
#include "bench/http_client.hpp"
#include "bench/open_loop_client.hpp"
#include "bench/process_tree.hpp"
#include "bench/sha256_chain.hpp"
#include "bench/sha256_scalar.hpp"
#include "bench/statistics.hpp"

namespace tollgate::bench {
namespace {

using namespace std::chrono_literals;

constexpr char small_guest[] = "gateway_wasm_c.wasm";

std::optional<std::string> missing_guest(const Context& context, const std::string& file) {
  if (std::filesystem::exists(context.programs.guests + "/" + file)) return std::nullopt;
  return fmt::format("there is no {}: run guests/build", file);
}

std::optional<std::string> missing_wat2wasm() {
  if (!find_program("wat2wasm").empty()) return std::nullopt;
  return "wat2wasm is missing: install Debian's wabt";
}

// A guest of this benchmark's own, assembled into the folder.
std::string assemble(const Context& context, const Folder& folder, const std::string& name) {
  const std::string module = folder.path(name + ".wasm");
  ChildProcess wat2wasm(
      {find_program("wat2wasm"), context.programs.own_guests + "/" + name + ".wat", "-o", module},
      context.placement.client, folder.path("wat2wasm.err"));
  if (wat2wasm.wait() != 0) throw std::runtime_error("wat2wasm failed");
  return module;
}

// A benign guest at a fixed rate while others loop without end on the same worker.
class FairnessArm final : public WholeArm {
 public:
  FairnessArm()
      : WholeArm("fairness", "a benign guest at 1,000/s, open loop, beside 0, 2 and 32 endless loops") {}

  std::optional<std::string> unavailable(const Context& context) const override {
    return missing_guest(context, small_guest) ? missing_guest(context, small_guest) : missing_wat2wasm();
  }

  Measurement run(const Context& context) override {
    const Folder folder;
    const std::string configuration = fmt::format(
        "[[route]]\npath = \"/benign\"\nwasm = \"{}/{}\"\nabi = \"stdio\"\n"
        "[[route]]\npath = \"/loop\"\nwasm = \"{}\"\nabi = \"stdio\"\n"
        "limits = {{ deadline = \"10m\", cpu = \"10m\", concurrent = 64 }}\n",
        context.programs.guests, small_guest, assemble(context, folder, "loop"));
    const Server server =
        Server::tollgate(context.programs, folder, context.placement.server, 1, configuration);
    Measurement measured;
    for (const unsigned loops : {0u, 2u, 32u}) measure(context, server, loops, measured);
    for (const char* const beside : {"beside_2", "beside_32"}) {
      for (const char* const value : {"p99_ms", "max_ms"}) {
        measured[fmt::format("{}_{}_over_quiet", beside, value)] =
            measured[fmt::format("{}_{}", beside, value)] - measured[fmt::format("beside_0_{}", value)];
      }
    }
    return measured;
  }

 private:
  static void measure(const Context& context, const Server& server, unsigned loops, Measurement& measured) {
    std::vector<HttpClient> looping;  // their guests end when these connections close
    for (unsigned i = 0; i < loops; ++i) looping.emplace_back(server.port()).send_get("/loop");
    std::this_thread::sleep_for(300ms);
    run_open_loop(server.port(), {.target = "/benign", .duration = context.effort.warm_up + 100ms});
    const OpenLoopResult result =
        run_open_loop(server.port(), {.target = "/benign", .duration = context.effort.window});
    if (result.latencies_ms.empty()) throw std::runtime_error("no request of the benign route was answered");
    const std::string beside = fmt::format("beside_{}", loops);
    measured[beside + "_p50_ms"] = quantile(result.latencies_ms, 0.5);
    measured[beside + "_p99_ms"] = quantile(result.latencies_ms, 0.99);
    measured[beside + "_max_ms"] = result.latencies_ms.back();
    measured[beside + "_failed"] = static_cast<double>(result.failed);
    measured[beside + "_client_late_ms"] = result.worst_send_delay_ms;
  }
};

// Many guests that sleep one second at once on one worker.
class SleepersArm final : public WholeArm {
 public:
  SleepersArm() : WholeArm("sleepers", "guests that sleep 1 s, all at once on one worker") {}

  std::optional<std::string> unavailable(const Context&) const override { return missing_wat2wasm(); }

  Measurement run(const Context& context) override {
    const Folder folder;
    const unsigned count = context.effort.sleepers;
    const Server server = Server::tollgate(
        context.programs, folder, context.placement.server, 1,
        fmt::format(
            "[[route]]\npath = \"/\"\nwasm = \"{}\"\nabi = \"stdio\"\nlimits = {{ deadline = \"30s\", "
            "concurrent = {} }}\n",
            assemble(context, folder, "sleep"), count));
    std::vector<HttpClient> clients;
    for (unsigned i = 0; i < count; ++i) clients.emplace_back(server.port());
    std::this_thread::sleep_for(200ms);
    const double at_rest = static_cast<double>(memory_of_tree(server.pid()).private_bytes);
    const auto began = Clock::now();
    for (HttpClient& client : clients) client.send_get("/");
    std::this_thread::sleep_until(began + 600ms);
    const double asleep = static_cast<double>(memory_of_tree(server.pid()).private_bytes);
    for (HttpClient& client : clients) {
      const Answer answer = client.read_answer();
      if (answer.status != 200)
        throw std::runtime_error(fmt::format("a sleeper got {}: {}", answer.status, answer.body));
    }
    return {{"all_done_s", std::chrono::duration<double>(Clock::now() - began).count()},
            {"private_kb_each", (asleep - at_rest) / 1024 / count}};
  }
};

// The study's SHA-256 chain computed by a guest, beside the same C source as native scalar code on the same
// core, by the compiler that does better.
class ChainArm final : public WholeArm {
 public:
  ChainArm(std::string name, std::string about, std::string guest)
      : WholeArm(std::move(name), std::move(about)), guest_(std::move(guest)) {}

  std::optional<std::string> unavailable(const Context& context) const override {
    return missing_guest(context, guest_);
  }

  Measurement run(const Context& context) override {
    const Folder folder;
    const Server server =
        Server::tollgate(context.programs, folder, context.placement.server, 1,
                         fmt::format("[[route]]\npath = \"/compute\"\nwasm = \"{}/{}\"\nabi = \"cgi\"\n",
                                     context.programs.guests, guest_));
    const std::string expected = sha256_chain_hex(rounds);
    const std::string target = fmt::format("/compute?iters={}", rounds);
    for (int warm = 0; warm < 2; ++warm) check(http_get(server.port(), target), expected);
    std::vector<double> guest_ms;
    std::map<std::string, std::vector<double>> native_ms;  // by compiler
    for (unsigned i = 0; i < context.effort.chain_requests; ++i) {
      const std::int64_t before = cpu_nanoseconds(server.pid());
      check(http_get(server.port(), target), expected);
      guest_ms.push_back(static_cast<double>(cpu_nanoseconds(server.pid()) - before) / 1e6);
      for (const ScalarChain& chain : scalar_chains()) {
        native_ms[chain.compiler].push_back(native_chain_ms(context, chain, expected));
      }
    }
    Measurement measured{{"guest_ms", median(guest_ms)}};
    double fastest_ms = std::numeric_limits<double>::infinity();
    for (const auto& [compiler, times_ms] : native_ms) {
      measured["native_" + compiler + "_ms"] = median(times_ms);
      fastest_ms = std::min(fastest_ms, median(times_ms));
    }
    measured["guest_over_native"] = median(guest_ms) / fastest_ms;
    return measured;
  }

 private:
  static constexpr std::uint64_t rounds = 50'000;

  static void check(const Answer& answer, const std::string& expected) {
    if (answer.status != 200 || answer.body.find(expected) == std::string::npos) {
      throw std::runtime_error(fmt::format("wrong digest: {} {}", answer.status, answer.body));
    }
  }

  static double native_chain_ms(const Context& context, const ScalarChain& chain,
                                const std::string& expected) {
    pin_to(context.placement.server);
    timespec before{};
    timespec after{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
    const std::string digest = chain_hex(chain, rounds);
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
    pin_to(context.placement.client);
    if (digest != expected)
      throw std::runtime_error(std::string("wrong digest natively by ") + chain.compiler);
    return static_cast<double>(after.tv_sec - before.tv_sec) * 1e3 +
           static_cast<double>(after.tv_nsec - before.tv_nsec) / 1e6;
  }

  std::string guest_;
};

}  // namespace

void add_guest_arms(Arms& arms) {
  arms.push_back(std::make_unique<FairnessArm>());
  arms.push_back(std::make_unique<SleepersArm>());
  arms.push_back(std::make_unique<ChainArm>(
      "sha256-c", "SHA-256 chain, 50,000 rounds: a C guest over scalar native", "compute_c.wasm"));
  arms.push_back(std::make_unique<ChainArm>(
      "sha256-rust", "SHA-256 chain, 50,000 rounds: a Rust guest over scalar native", "compute_rust.wasm"));
}

}  // namespace tollgate::bench
