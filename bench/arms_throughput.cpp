// Closed-loop arms: a server on its core, wrk on the others, CPU time of the server's process tree per
// request.
#include <fmt/format.h>

#include <filesystem>
#include <functional>
#include <stdexcept>

#include "bench/arm.hpp"
#include "bench/http_client.hpp"
#include "bench/process_tree.hpp"
#include "bench/wrk.hpp"

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
  std::string guest;  // file of the guests' folder it needs
};

class ThroughputArm final : public Arm {
 public:
  ThroughputArm(std::string name, std::string about, Plan plan)
      : Arm(std::move(name), std::move(about)), plan_(std::move(plan)) {}

  std::optional<std::string> unavailable(const Context& context) const override {
    if (shared() && context.placement.all.size() < 4) {
      return fmt::format("needs 4 cores, this machine gives {}", context.placement.all.size());
    }
    if (!plan_.guest.empty() && !std::filesystem::exists(context.programs.guests + "/" + plan_.guest)) {
      return fmt::format("there is no {}: run guests/build", plan_.guest);
    }
    return std::nullopt;
  }

  Measurement run(const Context& context) override {
    const Cores server_cores = cores_of_server(context.placement);
    const Folder folder;
    std::optional<Server> upstream;
    if (plan_.layout == Layout::beside_upstream) {
      upstream.emplace(Server::nginx(context.programs, folder, context.placement.upstream, nginx_hello));
    }
    const Server server = plan_.start(context, folder, server_cores, upstream ? upstream->port() : 0);
    if (const Answer answer = http_get(server.port(), plan_.load.target); answer.status != 200) {
      throw std::runtime_error(fmt::format("the server answers {}: {}", answer.status, answer.body));
    }
    Load load = plan_.load;
    load.connections *= static_cast<unsigned>(server_cores.size());
    const Cores client_cores = cores_of_client(context.placement);
    if (context.effort.warm_up.count() > 0) {
      load.duration = context.effort.warm_up;
      run_wrk(context.programs, folder, client_cores, server.port(), load);
    }
    load.duration = context.effort.window;
    const std::int64_t before = cpu_nanoseconds(server.pid());
    const LoadResult result = run_wrk(context.programs, folder, client_cores, server.port(), load);
    const auto cpu = static_cast<double>(cpu_nanoseconds(server.pid()) - before);
    if (result.requests == 0) throw std::runtime_error("no request was answered");
    Measurement measured{{cpu_per_request, cpu / 1e3 / static_cast<double>(result.requests)},
                         {"requests_per_second", static_cast<double>(result.requests) / result.seconds},
                         {"p50_us", result.p50_us},
                         {"p99_us", result.p99_us},
                         {"errors", static_cast<double>(result.errors)}};
    if (!shared()) measured[server_busy] = cpu / 1e9 / result.seconds;
    return measured;
  }

 private:
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
    return plan_.layout == Layout::beside_upstream ? placement.client_beside_upstream : placement.client;
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
      {.start = tollgate(native_hello), .load = closing});
  add("nginx-hello-close", "nginx `return 200`, a connection per request",
      {.start = nginx(nginx_hello), .load = closing});
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
