// The configuration, checked and expanded: what `tollgate.toml` says after defaults and ${NAME:-default}.
// Plain data that the supervisor reads once and hands to its workers as JSON (config_json.hpp).
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace tollgate::gateway {

using Milliseconds = std::chrono::milliseconds;

// What a transform may hold of an upstream's response where the route sets no `response` limit.
inline constexpr std::uint64_t transformed_response_bytes_default = 10u << 20;

// Limits of a route. The names are those of the configuration, the errors and docs/configuration.md.
struct Limits {
  // Wall time from the last bytes of the request that arrived to the response's head.
  Milliseconds deadline{5000};
  Milliseconds cpu{1000};                   // thread CPU time inside the guest
  std::uint64_t memory_bytes = 128u << 20;  // `memory`: linear memory of a guest
  std::uint64_t body_bytes = 2u << 20;      // `body`: request body
  std::uint64_t output_bytes = 8u << 20;    // `output`: what a guest may answer
  // An upstream: connecting, and each wait for its bytes or for it to take ours.
  Milliseconds io{5000};
  // `response`: body of an upstream's response, or what goes through a transform. Unlimited if not set.
  std::uint64_t response_bytes = UINT64_MAX;
  std::uint64_t stderr_bytes = 64u << 10;  // `stderr`: what a guest may log per request
  std::uint32_t concurrent = 256;          // sandboxes (or processes) at once, over all workers
  std::uint32_t queue = 1024;              // requests waiting for one, over all workers
};

enum class Abi : std::uint8_t { cgi, stdio };

// Who runs a module: the worker itself, or a command line as a process per request.
enum class Runtime : std::uint8_t { wasmtime_embedded, wasmtime, wasmedge };
// What such a command line does with it: run what was compiled when the table was loaded, compile it each
// time, or interpret it.
enum class EngineMode : std::uint8_t { aot, jit, interpreter };

struct DirectoryGrant {
  std::string host;
  std::string guest;
  bool write = false;
};

struct NativeBackend {
  std::string handler;  // hello, health, compute, state, echo, json
};
struct WasmBackend {
  std::string module;  // path, absolute
  Abi abi = Abi::cgi;
  std::map<std::string, std::string> env;
  std::vector<std::string> args;
  std::vector<DirectoryGrant> dirs;
  Runtime runtime = Runtime::wasmtime_embedded;
  EngineMode mode = EngineMode::aot;  // of the other runtimes
  // Their argv up to the guest's variables: filled in by the supervisor.
  std::vector<std::string> engine = {};
};
// What a module is called that was prepared for another runtime: each pair of runtime and mode needs a file
// of its own.
std::string module_name(const WasmBackend& wasm);

// The gateway's own in the environment of a process per request: the number of its run.
inline constexpr std::string_view spawn_run_variable = "TOLLGATE_SPAWN_RUN";

// A process per request, by a spawner.
struct SpawnBackend {
  std::vector<std::string> argv;  // argv[0] is absolute
  Abi abi = Abi::cgi;
  std::map<std::string, std::string> env;
};
struct UpstreamBackend {
  std::string url;   // as configured; X-Upstream-Url starts with it
  std::string host;  // without port or brackets
  std::uint16_t port = 80;
  std::string base_path;  // "" or "/base", never with a slash at the end
};
struct RespondBackend {
  int status = 200;
  std::string body;
};
using BackendConfig = std::variant<NativeBackend, WasmBackend, UpstreamBackend, RespondBackend, SpawnBackend>;
using TransformConfig = std::variant<WasmBackend, SpawnBackend>;

struct Route {
  std::string path;                  // "/exact" or "/prefix/*"; "/*" matches everything
  std::string host;                  // "" any, "a.example", "*.example.org"
  std::vector<std::string> methods;  // empty: any
  BackendConfig backend;
  std::optional<TransformConfig> transform;  // response body through stdin and stdout (abi is stdio)
  std::vector<std::pair<std::string, std::string>> headers;  // added to every response
  Limits limits;
  int line = 0;            // in the file, for messages
  std::uint32_t slot = 0;  // its place in shared memory (shared_memory.hpp), given by the supervisor

  // "path host method..." : the label in logs, metrics and /routes. Unique within a table.
  std::string name() const;
};

// Calls `each` with every module or command that the routes run, in their order: WasmBackend or SpawnBackend,
// and the route.
template <class Routes, class Each>
void for_each_handler(Routes& routes, Each&& each) {
  for (auto& route : routes) {
    if (auto* wasm = std::get_if<WasmBackend>(&route.backend)) each(*wasm, route);
    if (auto* spawn = std::get_if<SpawnBackend>(&route.backend)) each(*spawn, route);
    if (route.transform) std::visit([&](auto& transform) { each(transform, route); }, *route.transform);
  }
}

struct AccessLog {
  // `failures`: to stderr, too, but only requests that failed here or behind us (5xx).
  enum class Target : std::uint8_t { off, failures, stderr_, file };
  Target target = Target::failures;
  std::string path;
};

struct Config {
  std::vector<std::string> listen;  // "127.0.0.1:8080", "[::1]:0"
  std::optional<std::string> admin;
  std::optional<std::string> kill_port;  // first TCP connection gets 200 "Shutting down" and starts a drain
  unsigned workers = 0;                  // 0: one per core
  bool cpu_affinity = true;              // each keeps to a core of its own, where there is one for each
  std::string user;                      // workers run as this user when started as root; "" = nobody
  Milliseconds drain{10000};             // longest graceful stop
  std::uint32_t connections = 10000;     // open client connections per worker
  AccessLog access_log;
  std::string cache_dir;  // compiled programs; "" = the user's cache folder
  std::vector<Route> routes;
};

}  // namespace tollgate::gateway
