// A process per request: what a spawn route adds to the process itself, how near it comes to what the cores
// can start, and `wasmtime run` beside the gateway study's way of running it.
#include <fmt/format.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <stdexcept>

#include "bench/arm.hpp"
#include "bench/closed_loop_client.hpp"
#include "bench/http_client.hpp"
#include "bench/process_tree.hpp"
#include "bench/spawn_baseline.hpp"

namespace tollgate::bench {
namespace {

constexpr char body[] = "hello";
constexpr unsigned connections_per_core = 2;
constexpr std::chrono::milliseconds turn_duration{500};

// Where the workers' user can reach it, too.
std::string install(const Folder& folder, const std::string& program) {
  const std::string copy = folder.path(std::filesystem::path(program).filename());
  std::filesystem::copy_file(program, copy, std::filesystem::copy_options::skip_existing);
  ::chmod(copy.c_str(), 0755);
  return copy;
}

std::string spawn_route(const std::string& command) {
  return fmt::format("[[route]]\npath = \"/\"\nspawn = [\"{}\"]\nabi = \"stdio\"\n", command);
}

// As many connections as keep each of the server's cores busy.
ClosedLoopClient client_of(const Server& server, const Cores& server_cores, const Cores& client_cores) {
  const Load load{.connections = connections_per_core * static_cast<unsigned>(server_cores.size()),
                  .body = body};
  return ClosedLoopClient(server.port(), load, client_cores, Wait::sleeping);
}

// On a connection that is closed again: one that stays takes a place of those that are spread over the
// workers.
void check_answer(const Server& server, const std::string& expected) {
  HttpClient client(server.port());
  client.send_post("/", body);
  const Answer answer = client.read_answer();
  if (answer.status != 200 || answer.body != expected) {
    throw std::runtime_error(fmt::format("the server answers {}: {}", answer.status, answer.body));
  }
}

LoadResult load_server(ClosedLoopClient& client, std::chrono::milliseconds duration) {
  LoadResult result = client.run(duration);
  if (result.in_time == 0) throw std::runtime_error("no request was answered");
  if (result.errors != 0) throw std::runtime_error(fmt::format("{} requests failed", result.errors));
  return result;
}

SpawnCost cost_alone(const Context& context, const std::string& command, const Cores& cores) {
  const SpawnCost cost = spawn_to_exit({command}, {}, body, body, cores, turn_duration / 2);
  pin_to(context.placement.client);
  return cost;
}

// What a route and its floor cost when they take turns of half and a quarter of a second: a machine's speed
// drifts, and what a start costs drifts with it. (Shorter ones would count as idle what the requests under
// way at the end of a turn were served.)
struct Turns {
  double requests_per_second = 0;
  double route_cpu_us = 0;  // per request
  SpawnCost floor;          // the mean
};

template <class MeasureFloor>
Turns take_turns(const Context& context, const Server& server, ClosedLoopClient client,
                 const MeasureFloor& measure_floor) {
  check_answer(server, body);
  LoadResult sum;
  double seconds = 0;
  double cpu_us = 0;
  std::vector<SpawnCost> floors{measure_floor()};
  for (auto left = context.effort.window; left.count() > 0; left -= turn_duration) {
    const std::int64_t cpu_before = cpu_nanoseconds(server.pid());
    LoadResult result = load_server(client, turn_duration);
    cpu_us += static_cast<double>(cpu_nanoseconds(server.pid()) - cpu_before) / 1e3;
    seconds += result.seconds;
    sum.add(std::move(result));
    floors.push_back(measure_floor());
  }
  return {.requests_per_second = static_cast<double>(sum.in_time) / seconds,
          .route_cpu_us = cpu_us / static_cast<double>(sum.requests),
          .floor = mean(floors)};
}

// One core: CPU time of the server's whole tree per request, programs included, over that of the program
// started by hand.
class SpawnCostArm final : public WholeArm {
 public:
  SpawnCostArm(std::string name, std::string about, std::string program)
      : WholeArm(std::move(name), std::move(about)), program_(std::move(program)) {}

  Measurement run(const Context& context) override {
    const Folder folder;
    const std::string command = install(folder, program_);
    const Cores& cores = context.placement.server;
    const Server server = Server::tollgate(context.programs, folder, cores, 1, spawn_route(command));
    const Turns turns = take_turns(context, server, client_of(server, cores, context.placement.client),
                                   [&] { return cost_alone(context, command, cores); });
    return {{"route_cpu_us", turns.route_cpu_us},
            {"posix_spawn_cpu_us", turns.floor.cpu_us},
            {"posix_spawn_wall_us", turns.floor.wall_us},
            {"requests_per_second", turns.requests_per_second},
            {"cpu_over_posix_spawn", turns.route_cpu_us / turns.floor.cpu_us}};
  }

 private:
  std::string program_;
};

// All cores, a worker on each: requests per second over what the cores start when they do nothing else, all
// of them at once.
class SpawnThroughputArm final : public WholeArm {
 public:
  SpawnThroughputArm(std::string name, std::string about, std::string program)
      : WholeArm(std::move(name), std::move(about)), program_(std::move(program)) {}

  Measurement run(const Context& context) override {
    const Folder folder;
    const std::string command = install(folder, program_);
    const Cores& all = context.placement.all;
    const auto cores = static_cast<double>(all.size());
    const Server server = Server::tollgate(context.programs, folder, all, static_cast<unsigned>(all.size()),
                                           spawn_route(command));
    const SpawnCost one_core = cost_alone(context, command, context.placement.server);
    const Turns turns = take_turns(context, server, client_of(server, all, all), [&] {
      return spawn_to_exit_on_each({command}, {}, body, body, all, turn_duration / 2);
    });
    const double requests = turns.requests_per_second;
    // Where the share is low, the last two tell why: dearer requests, or cores that others had.
    return {{"requests_per_second", requests},
            {"posix_spawn_cpu_us", turns.floor.cpu_us},
            {"posix_spawn_one_core_cpu_us", one_core.cpu_us},
            {"share_of_cores_over_cost", requests / (cores / turns.floor.cpu_us * 1e6)},
            {"share_of_cores_over_one_core_cost", requests / (cores / one_core.cpu_us * 1e6)},
            {"route_cpu_us", turns.route_cpu_us},
            {"share_of_cores_got", turns.route_cpu_us / 1e6 * requests / cores}};
  }

 private:
  std::string program_;
};

// The gateway study's design is one process at a time, `wasmtime run` of the .wasm with the engine's own
// cache on.
class WasmtimeRunArm final : public WholeArm {
 public:
  WasmtimeRunArm()
      : WholeArm("spawn-wasmtime",
                 "a route by `wasmtime run`, all cores, over the study's way: one at a time") {}

  std::optional<std::string> unavailable(const Context& context) const override {
    if (!std::filesystem::exists(module_of(context)))
      return "there is no gateway_wasm_rust.wasm: run guests/build";
    if (wasmtime().empty()) return "there is no wasmtime command line: ./dev wasmtime";
    return std::nullopt;
  }

  Measurement run(const Context& context) override {
    const Folder folder;
    const std::string module = install(folder, module_of(context));
    const Cores& all = context.placement.all;
    const auto study = [&] {
      const SpawnCost cost =
          spawn_to_exit({wasmtime(), "run", "-C", "cache=y", module}, {"HOME=" + folder.path("home")}, body,
                        answer, all, context.effort.window / 2);
      pin_to(context.placement.client);
      return 1e6 / cost.wall_us;
    };
    study();  // fills its cache
    const double before = study();
    ::setenv("TOLLGATE_WASMTIME", wasmtime().c_str(), 1);  // the very same program
    const Server server = Server::tollgate(
        context.programs, folder, all, static_cast<unsigned>(all.size()),
        fmt::format("[[route]]\npath = \"/\"\nwasm = \"{}\"\nabi = \"stdio\"\nruntime = \"wasmtime\"\n",
                    module));
    check_answer(server, answer);
    ClosedLoopClient client = client_of(server, all, all);
    const LoadResult result = load_server(client, context.effort.window);
    const double one_at_a_time = (before + study()) / 2;
    const double requests = static_cast<double>(result.in_time) / result.seconds;
    return {{"requests_per_second", requests},
            {"study_requests_per_second", one_at_a_time},
            {"over_study", requests / one_at_a_time}};
  }

 private:
  static constexpr char answer[] = "wasm:hello";

  static std::string module_of(const Context& context) {
    return context.programs.guests + "/gateway_wasm_rust.wasm";
  }

  // Where tools/install-wasmtime put it, or on PATH.
  static std::string wasmtime() {
    const char* const home = std::getenv("HOME");
    std::string installed;
    for (const std::string& folder : {std::string("/var/cache/tollgate"),
                                      std::string(home == nullptr ? "" : home) + "/.cache/tollgate"}) {
      std::error_code none;
      for (const auto& entry : std::filesystem::directory_iterator(folder, none)) {
        const std::string program = entry.path() / "bin/wasmtime";
        if (installed.empty() && std::filesystem::exists(program, none)) installed = program;
      }
    }
    return installed.empty() ? find_program("wasmtime") : installed;
  }
};

}  // namespace

void add_spawn_arms(Arms& arms) {
  arms.push_back(std::make_unique<SpawnCostArm>(
      "spawn-echo", "spawn route, a static C echo, one core, over posix_spawn of it", TOLLGATE_BENCH_ECHO));
  arms.push_back(std::make_unique<SpawnCostArm>(
      "spawn-cat", "spawn route, cat, one core, over posix_spawn of it", "/bin/cat"));
  arms.push_back(std::make_unique<SpawnThroughputArm>(
      "spawn-all-cores", "the static C echo on all cores, over cores / cost of posix_spawn on all",
      TOLLGATE_BENCH_ECHO));
  arms.push_back(std::make_unique<WasmtimeRunArm>());
}

}  // namespace tollgate::bench
