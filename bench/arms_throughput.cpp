// Closed-loop arms: a server on its core, its client on the others, CPU time of the server's process tree per
// request.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <stdexcept>

#include "bench/arm.hpp"
#include "bench/closed_loop_client.hpp"
#include "bench/process_tree.hpp"
#include "bench/statistics.hpp"

namespace tollgate::bench {
namespace {

constexpr char native_hello[] = "[[route]]\npath = \"/\"\nnative = \"hello\"\n";
constexpr char nginx_hello[] = "server { listen 127.0.0.1:@PORT@; location / { return 200 \"hello\"; } }";

// Where server and client run. `shared`: three cores run the clients, and one of them or all three a worker
// as well, so that one worker and three are asked from the same places; the busy fraction then says nothing.
enum class Layout { own_core, beside_upstream, shared_one_core, shared_three_cores };

struct Plan {
  std::function<Server(const Context&, const Folder&, const Cores&, std::uint16_t upstream_port)> start;
  Load load;
  Layout layout = Layout::own_core;
  // As few as keep the server busy: cores of a virtual machine may be threads of one physical core, and each
  // that spins beside the server slows it.
  unsigned client_cores = 1;
  std::string guest;  // file of the guests' folder it needs
};

class ThroughputArm final : public SlicedArm {
 public:
  ThroughputArm(std::string name, std::string about, Plan plan)
      : SlicedArm(std::move(name), std::move(about)), plan_(std::move(plan)) {}

  std::optional<std::string> unavailable(const Context& context) const override {
    if (shared() && context.placement.all.size() < 4) {
      return fmt::format("needs 4 cores, this machine gives {}", context.placement.all.size());
    }
    if (!plan_.guest.empty() && !std::filesystem::exists(context.programs.guests + "/" + plan_.guest)) {
      return fmt::format("there is no {}: run guests/build", plan_.guest);
    }
    return std::nullopt;
  }

  std::unique_ptr<Slices> begin(const Context& context) override {
    auto folder = std::make_unique<Folder>();
    std::optional<Server> upstream;
    if (plan_.layout == Layout::beside_upstream) {
      upstream.emplace(Server::nginx(context.programs, *folder, context.placement.upstream, nginx_hello));
    }
    const Cores server_cores = cores_of_server(context.placement);
    Server server = plan_.start(context, *folder, server_cores, upstream ? upstream->port() : 0);
    Load load = plan_.load;
    load.connections *= static_cast<unsigned>(server_cores.size());
    ClosedLoopClient client(server.port(), load, cores_of_client(context.placement),
                            shared() ? Wait::sleeping : Wait::spinning);
    auto loaded = std::make_unique<LoadedServer>(std::move(folder), std::move(upstream), std::move(server),
                                                 std::move(client), shared());
    loaded->warm_up(context.effort.warm_up);
    return loaded;
  }

 private:
  // A server and its client, and what their slices gave.
  class LoadedServer final : public Slices {
   public:
    LoadedServer(std::unique_ptr<Folder> folder, std::optional<Server> upstream, Server server,
                 ClosedLoopClient client, bool shares_its_cores)
        : folder_(std::move(folder)),
          upstream_(std::move(upstream)),
          server_(std::move(server)),
          client_(std::move(client)),
          shares_its_cores_(shares_its_cores) {}

    void warm_up(std::chrono::milliseconds duration) {
      const LoadResult result = client_.run(std::max(duration, slice_duration));
      if (result.requests == 0) throw std::runtime_error("no request was answered");
      tree_ = tree_of(server_.pid());  // not earlier: nginx takes connections before it has its worker
    }

    void take() override {
      const auto began = Clock::now();
      const std::int64_t before = cpu_nanoseconds(tree_);
      LoadResult result = client_.run(slice_duration);
      const auto cpu_ns = static_cast<double>(cpu_nanoseconds(tree_) - before);
      const std::chrono::duration<double, std::nano> took = Clock::now() - began;
      if (result.requests == 0) throw std::runtime_error("no request was answered");
      cpu_us_.push_back(cpu_ns / 1e3 / static_cast<double>(result.requests));
      busy_.push_back(cpu_ns / took.count());
      rates_.push_back(static_cast<double>(result.in_time) / result.seconds);
      sum_.add(std::move(result));
    }

    Measurement result() override {
      Measurement measured{{cpu_per_request, median(cpu_us_)},
                           {cpu_per_request_best_tenth, quantile(cpu_us_, 0.1)},
                           {"requests_per_second", median(rates_)},
                           {"p50_us", quantile(sum_.latencies_us, 0.5)},
                           {"p99_us", quantile(sum_.latencies_us, 0.99)},
                           {"errors", static_cast<double>(sum_.errors)}};
      if (!shares_its_cores_) measured[server_busy] = median(busy_);
      return measured;
    }

   private:
    std::unique_ptr<Folder> folder_;
    std::optional<Server> upstream_;
    Server server_;
    ClosedLoopClient client_;
    std::vector<pid_t> tree_;  // these servers start no process while they serve
    bool shares_its_cores_;
    std::vector<double> cpu_us_;  // per request, by slice, as the next two
    std::vector<double> busy_;
    std::vector<double> rates_;
    LoadResult sum_;
  };

  bool shared() const {
    return plan_.layout == Layout::shared_one_core || plan_.layout == Layout::shared_three_cores;
  }
  Cores cores_of_server(const Placement& placement) const {
    if (!shared()) return placement.server;
    const Cores three = last_three(placement);
    return plan_.layout == Layout::shared_three_cores ? three : Cores{three.front()};
  }
  static Cores last_three(const Placement& placement) {
    return {placement.all.end() - 3, placement.all.end()};
  }
  Cores cores_of_client(const Placement& placement) const {
    if (shared()) return last_three(placement);
    Cores cores =
        plan_.layout == Layout::beside_upstream ? placement.client_beside_upstream : placement.client;
    cores.resize(std::min<std::size_t>(cores.size(), plan_.client_cores));
    return cores;
  }

  Plan plan_;
};

auto tollgate(std::string configuration) {
  return [configuration = std::move(configuration)](const Context& context, const Folder& folder,
                                                    const Cores& cores, std::uint16_t) {
    return Server::tollgate(context.programs, folder, cores, static_cast<unsigned>(cores.size()),
                            configuration);
  };
}

auto nginx(std::string http) {
  return [http = std::move(http)](const Context& context, const Folder& folder, const Cores& cores,
                                  std::uint16_t) {
    return Server::nginx(context.programs, folder, cores, http);
  };
}

auto logging_tollgate() {
  return [](const Context& context, const Folder& folder, const Cores& cores, std::uint16_t) {
    return Server::tollgate(context.programs, folder, cores, 1,
                            fmt::format("access_log = \"{}\"\n{}", folder.path("access.log"), native_hello));
  };
}

auto logging_nginx() {
  return [](const Context& context, const Folder& folder, const Cores& cores, std::uint16_t) {
    return Server::nginx(
        context.programs, folder, cores,
        fmt::format("access_log {} combined buffer=32k;\n{}", folder.path("access.log"), nginx_hello));
  };
}

auto tollgate_proxy() {
  return [](const Context& context, const Folder& folder, const Cores& cores, std::uint16_t upstream) {
    return Server::tollgate(
        context.programs, folder, cores, 1,
        fmt::format("[[route]]\npath = \"/*\"\nupstream = \"http://127.0.0.1:{}\"\n", upstream));
  };
}

auto nginx_proxy() {
  return [](const Context& context, const Folder& folder, const Cores& cores, std::uint16_t upstream) {
    return Server::nginx(context.programs, folder, cores,
                         fmt::format(R"(
  upstream backend {{ server 127.0.0.1:{}; keepalive 128; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:@PORT@;
    location / {{ proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }})",
                                     upstream));
  };
}

// A guest that answers "wasm:" and what it read from stdin.
Plan guest(const std::string& file) {
  Plan plan;
  plan.start = [file](const Context& context, const Folder& folder, const Cores& cores, std::uint16_t) {
    return Server::tollgate(context.programs, folder, cores, 1,
                            fmt::format("[[route]]\npath = \"/\"\nwasm = \"{}/{}\"\nabi = \"stdio\"\n",
                                        context.programs.guests, file));
  };
  plan.load = {.body = "hello"};
  plan.guest = file;
  return plan;
}

}  // namespace

void add_throughput_arms(Arms& arms) {
  const auto add = [&arms](const char* name, const char* about, Plan plan) {
    arms.push_back(std::make_unique<ThroughputArm>(name, about, std::move(plan)));
  };
  const Load closing{.reuse = Load::Reuse::connection_per_request};
  add("native-hello", "native hello, 64 keep-alive connections", {.start = tollgate(native_hello)});
  add("nginx-hello", "nginx `return 200`, same body, 64 keep-alive connections",
      {.start = nginx(nginx_hello)});
  add("native-hello-log", "native hello with the access log to a file", {.start = logging_tollgate()});
  add("nginx-hello-log", "nginx `return 200` with its access log to a file, buffered",
      {.start = logging_nginx()});
  add("native-hello-close", "native hello, a connection per request",
      {.start = tollgate(native_hello), .load = closing, .client_cores = 3});
  add("nginx-hello-close", "nginx `return 200`, a connection per request",
      {.start = nginx(nginx_hello), .load = closing, .client_cores = 3});
  add("proxy", "upstream route, keep-alive to an nginx on another core",
      {.start = tollgate_proxy(), .layout = Layout::beside_upstream});
  add("nginx-proxy", "nginx `proxy_pass` with keep-alive to the same upstream",
      {.start = nginx_proxy(), .layout = Layout::beside_upstream});
  add("one-worker", "native hello, one worker; clients on its core and two others",
      {.start = tollgate(native_hello), .layout = Layout::shared_one_core});
  add("three-workers", "native hello, three workers; clients on their three cores",
      {.start = tollgate(native_hello), .layout = Layout::shared_three_cores});
  add("native-hello-post", "native hello, asked as the guests are: POST with 5 bytes",
      {.start = tollgate(native_hello), .load = {.body = "hello"}});
  add("guest-c", "small C guest: `wasm:` and its input", guest("gateway_wasm_c.wasm"));
  add("guest-rust", "Rust std guest: `wasm:` and its input", guest("gateway_wasm_rust.wasm"));
  add("guest-c-1mib", "the small C guest with 1 MiB of initialised data", guest("data_1mib_c.wasm"));
}

}  // namespace tollgate::bench
