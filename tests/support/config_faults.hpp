// One faulty configuration for each error that the configuration reader tells, with a part of the message
// that must come of it: the reader's own tests and the end-to-end tests of `tollgate check` go through all of
// them.
#pragma once

#include <ostream>
#include <string>
#include <vector>

namespace tollgate::testing {

inline const std::string hello_route = "[[route]]\npath = \"/\"\nnative = \"hello\"\n";

struct ConfigFault {
  const char* name;
  std::string toml;  // the file, whole
  std::string in_message;
};
inline void PrintTo(const ConfigFault& fault, std::ostream* out) {
  *out << fault.name;
}

inline std::string route_with(const std::string& lines) {
  return hello_route + lines + "\n";
}
inline std::string route_of(const std::string& lines) {
  return "[[route]]\npath = \"/\"\n" + lines + "\n";
}

inline std::string repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

inline std::vector<ConfigFault> config_faults() {
  std::vector<ConfigFault> faults = {
      // Top level
      {"not_toml", "listen = ", "t.toml:1: found what is not TOML"},
      {"unknown_key", "lisen = \"x\"", R"(t.toml:1: lisen: found an unknown key, expected the key "listen")"},
      {"unknown_key_unlike_any", "colour = 1",
       "t.toml:1: colour: found an unknown key, expected one of listen, admin"},
      {"listen_without_port", "listen = \"127.0.0.1\"",
       R"(listen: found "127.0.0.1", expected a numeric address)"},
      {"listen_by_name", "listen = \"localhost:80\"", R"(found "localhost:80")"},
      {"listen_port_too_large", "listen = \"127.0.0.1:65536\"", R"(found "127.0.0.1:65536")"},
      {"listen_ipv6_without_brackets", "listen = \"::1:80\"", R"(found "::1:80")"},
      {"listen_zone", "listen = \"[fe80::1%eth0]:80\"", R"(found "[fe80::1%eth0]:80")"},
      {"listen_wrong_type", "listen = 8080",
       "listen: found the integer 8080, expected a string or an array of strings"},
      {"listen_empty_array", "listen = []", "listen: found no address, expected at least one"},
      {"listen_array_with_wrong_type", "listen = [\"127.0.0.1:1\", true]",
       "listen: found true, expected a string"},
      {"admin_bad", "admin = \"9901\"", R"(admin: found "9901")"},
      {"kill_port_bad", "kill_port = \":8081\"", R"(kill_port: found ":8081")"},
      {"workers_negative", "workers = -1",
       "workers: found the integer -1, expected an integer from 0 to 1024"},
      {"workers_text", "workers = \"many\"", R"(workers: found "many", expected an integer)"},
      {"workers_float", "workers = 1.5", "workers: found a floating-point number"},
      {"drain_without_unit", "drain = \"10\"", R"(drain: found "10", expected a duration)"},
      {"drain_number", "drain = 10", "drain: found the integer 10, expected a duration above 0"},
      {"drain_zero", "drain = \"0s\"", R"(drain: found "0s")"},
      {"connections_zero", "connections = 0", "connections: found the integer 0"},
      {"access_log_empty", "access_log = \"\"",
       R"(access_log: found "", expected "failures", "off", "stderr" or)"},
      {"variable_unset", "listen = \"${NOWHERE}\"",
       "listen: found ${NOWHERE}, which is not set in the environment, expected a set variable, or a "
       "default"},
      {"variable_unclosed", "listen = \"${NOWHERE\"", R"(found "${" without "}")"},
      {"variable_name_bad", "listen = \"${1X}\"", "found ${1X}, expected ${NAME}"},
      {"runtime_unknown", "runtime = \"wasmer\"",
       R"(runtime: found "wasmer", expected "wasmtime_embedded", "wasmtime" or "wasmedge")"},
      {"no_routes", "# no [[route]]", "route: found nothing, expected at least one [[route]]"},
      {"routes_empty", "route = []", "t.toml:1: route: found nothing, expected at least one [[route]]"},
      {"listen_twice", "listen = [\"127.0.0.1:80\", \"127.0.0.1:80\"]",
       R"(listen: found "127.0.0.1:80" again, expected an address that no other key or entry names)"},
      {"admin_is_listen", "listen = \"127.0.0.1:80\"\nadmin = \"127.0.0.1:80\"",
       R"(t.toml:2: admin: found "127.0.0.1:80" again)"},
      {"kill_port_is_admin", "admin = \"[::1]:81\"\nkill_port = \"[::1]:81\"",
       R"(t.toml:2: kill_port: found "[::1]:81" again)"},
      {"listen_too_many", "listen = [" + repeated("\"127.0.0.1:0\",", 65) + "]",
       "listen: found 65 addresses, expected at most 64"},
      {"routes_not_tables", "route = 1", "route: found the integer 1, expected an array of tables"},
      {"defaults_unknown_key", "[defaults]\nlimit = {}",
       R"(t.toml:2: defaults.limit: found an unknown key, expected the key "limits")"},
      {"defaults_limits_unknown_key", "[defaults.limits]\ndedline = \"1s\"",
       R"(t.toml:2: defaults.limits.dedline: found an unknown key, expected the key "deadline")"},
      // Limits
      {"limit_duration", route_with("limits = { deadline = \"5x\" }"),
       R"(t.toml:4: route[1].limits.deadline: found "5x", expected a duration above 0)"},
      {"limit_duration_huge", route_with("limits = { cpu = \"25h\" }"), R"(limits.cpu: found "25h")"},
      {"limit_duration_overflow", route_with("limits = { cpu = \"99999999999999999h\" }"), "limits.cpu"},
      {"limit_size_decimal", route_with("limits = { body = \"1MB\" }"),
       R"(limits.body: found "1MB", expected a size)"},
      {"limit_size_negative", route_with("limits = { body = -1 }"), "limits.body: found the integer -1"},
      {"limit_duration_number", route_with("limits = { deadline = 5 }"),
       "limits.deadline: found the integer 5, expected a duration above 0"},
      {"limit_size_wrong_type", route_with("limits = { body = true }"),
       "limits.body: found true, expected a size such as"},
      {"limit_size_fraction", route_with("limits = { body = \"1.5MiB\" }"), R"(limits.body: found "1.5MiB")"},
      {"limit_size_overflow", route_with("limits = { body = \"99999999999GiB\" }"), "limits.body"},
      {"limit_memory_small", route_with("limits = { memory = 1 }"),
       "limits.memory: found the integer 1, expected a size from 65536"},
      {"limit_memory_large", route_with("limits = { memory = \"5GiB\" }"), R"(limits.memory: found "5GiB")"},
      {"limit_output_large", route_with("limits = { output = \"2GiB\" }"), "limits.output"},
      {"limit_concurrent_zero", route_with("limits = { concurrent = 0 }"),
       "limits.concurrent: found the integer 0"},
      {"limit_queue_negative", route_with("limits = { queue = -1 }"), "limits.queue: found the integer -1"},
      {"limits_wrong_type", route_with("limits = 1"),
       "route[1].limits: found the integer 1, expected a table"},
      // Routes
      {"path_missing", "[[route]]\nnative = \"hello\"",
       "route[1].path: found nothing, expected a path such as"},
      {"path_relative", "[[route]]\npath = \"x\"\nnative = \"hello\"",
       R"(t.toml:2: route[1].path: found "x")"},
      {"path_star_inside", "[[route]]\npath = \"/a*b\"\nnative = \"hello\"", R"(found "/a*b")"},
      {"path_star_in_the_middle", "[[route]]\npath = \"/*/b\"\nnative = \"hello\"", R"(found "/*/b")"},
      {"path_dot_segment", "[[route]]\npath = \"/a/../b\"\nnative = \"hello\"", R"(found "/a/../b")"},
      {"path_empty_segment", "[[route]]\npath = \"/a//b\"\nnative = \"hello\"", R"(found "/a//b")"},
      {"path_query", "[[route]]\npath = \"/a?b\"\nnative = \"hello\"", R"(found "/a?b")"},
      {"path_blank", "[[route]]\npath = \"/a b\"\nnative = \"hello\"", R"(found "/a b")"},
      {"path_encoded_slash", "[[route]]\npath = \"/a%2Fb\"\nnative = \"hello\"", R"(found "/a%2Fb")"},
      {"path_bad_escape", "[[route]]\npath = \"/a%zz\"\nnative = \"hello\"", R"(found "/a%zz")"},
      {"path_encoded_dot", "[[route]]\npath = \"/%2E%2E/\"\nnative = \"hello\"", R"(found "/%2E%2E/")"},
      {"host_with_port", route_with("host = \"a.example:80\""), R"(route[1].host: found "a.example:80")"},
      {"host_wildcard_inside", route_with("host = \"a.*.example\""), "route[1].host"},
      {"host_bare_wildcard", route_with("host = \"*\""), "route[1].host"},
      {"host_empty", route_with("host = \"\""), "route[1].host"},
      {"host_bad_label", route_with("host = \"-a.example\""), "route[1].host"},
      {"method_lower_case", route_with("method = \"get\""),
       R"(route[1].method: found "get", expected an HTTP method)"},
      {"method_connect", route_with("method = \"CONNECT\""), "tunnels are not served"},
      {"method_never_served", route_with("methods = [\"GET\", \"FETCH\"]"),
       R"(route[1].methods: found "FETCH", expected a method that HTTP registers)"},
      {"methods_empty", route_with("methods = []"), "route[1].methods: found no method"},
      {"method_and_methods", route_with("method = \"GET\"\nmethods = [\"PUT\"]"),
       "found method and methods, expected only one"},
      {"route_unknown_key", route_with("hedaers = {}"),
       R"(route[1].hedaers: found an unknown key, expected the key "headers")"},
      {"route_misspelt_transform", route_with("trasnform = \"x.wasm\""),
       R"(trasnform: found an unknown key, expected the key "transform")"},
      {"no_backend", "[[route]]\npath = \"/\"",
       "route[1]: found no backend, expected exactly one of native, wasm, spawn, upstream, respond"},
      {"two_backends", route_with("respond = { body = \"x\" }"),
       "found native and respond, expected exactly one of"},
      {"native_unknown", route_of("native = \"helo\""),
       R"(route[1].native: found "helo", expected "hello", or one of compute, echo)"},
      {"native_empty", route_of("native = \"\""), R"(route[1].native: found "", expected one of)"},
      {"native_wrong_type", route_of("native = 1"),
       "route[1].native: found the integer 1, expected a string"},
      {"wasm_key_on_native", route_with("abi = \"cgi\""),
       "route[1].abi: found a key of wasm and spawn routes"},
      {"abi_unknown", route_of("wasm = \"x.wasm\"\nabi = \"fcgi\""),
       R"(route[1].abi: found "fcgi", expected "cgi" or "stdio")"},
      {"wasm_empty", route_of("wasm = \"\""),
       R"(route[1].wasm: found "", expected the path of a WebAssembly module)"},
      {"mode_of_wasmtime",
       route_with("transform = \"a.wasm\"\nruntime = \"wasmtime\"\nmode = \"interpreter\""),
       R"(mode: found "interpreter", expected "aot" or "jit")"},
      {"spawn_empty", "[[route]]\npath = \"/a\"\nspawn = []\n", "spawn: found no program"},
      {"spawn_args", "[[route]]\npath = \"/a\"\nspawn = [\"a\"]\nargs = [\"b\"]\n",
       "found a key of wasm routes, expected a route with wasm"},
      {"transform_empty", route_with("transform = \"\""), R"(route[1].transform: found "")"},
      {"env_wrong_type", route_of("wasm = \"x.wasm\"\nenv = { A = 1 }"),
       "route[1].env.A: found the integer 1, expected a string"},
      {"env_bad_name", route_of("wasm = \"x.wasm\"\nenv = { \"A=B\" = \"1\" }"),
       R"(route[1].env: found "A=B")"},
      {"args_wrong_type", route_of("wasm = \"x.wasm\"\nargs = [1]"), "route[1].args: found the integer 1"},
      {"dirs_without_host", route_of("wasm = \"x.wasm\"\ndirs = [{ guest = \"/\" }]"),
       R"(route[1].dirs[1].host: found "")"},
      {"dirs_relative_guest", route_of("wasm = \"x.wasm\"\ndirs = [{ host = \"d\", guest = \"d\" }]"),
       R"(route[1].dirs[1].guest: found "d")"},
      {"dirs_write_wrong_type",
       route_of("wasm = \"x.wasm\"\ndirs = [{ host = \"d\", guest = \"/d\", write = 1 }]"),
       "dirs[1].write: found the integer 1, expected true or false"},
      {"dirs_unknown_key",
       route_of("wasm = \"x.wasm\"\ndirs = [{ host = \"d\", guest = \"/d\", wirte = true }]"),
       R"(dirs[1].wirte: found an unknown key, expected the key "write")"},
      {"upstream_https", route_of("upstream = \"https://a.example\""),
       R"(route[1].upstream: found "https://a.example", expected an http URL: upstreams over https are not supported)"},
      {"upstream_no_scheme", route_of("upstream = \"a.example:80\""), "route[1].upstream"},
      {"upstream_userinfo", route_of("upstream = \"http://u:p@a.example\""), "route[1].upstream"},
      {"upstream_query", route_of("upstream = \"http://a.example/x?y\""), "route[1].upstream"},
      {"upstream_bad_port", route_of("upstream = \"http://a.example:0\""), "route[1].upstream"},
      {"upstream_empty_port", route_of("upstream = \"http://a.example:\""), "route[1].upstream"},
      {"upstream_dot_segments", route_of("upstream = \"http://a.example/../x\""), "route[1].upstream"},
      {"upstream_wrong_type", route_of("upstream = true"),
       "route[1].upstream: found true, expected a string"},
      {"respond_status", route_of("respond = { status = 600 }"),
       "route[1].respond.status: found the integer 600, expected an integer from 200 to 599"},
      {"respond_interim_status", route_of("respond = { status = 101 }"), "route[1].respond.status"},
      {"respond_body_with_204", route_of("respond = { status = 204, body = \"x\" }"), "cannot carry one"},
      {"respond_unknown_key", route_of("respond = { bdy = \"x\" }"),
       R"(respond.bdy: found an unknown key, expected the key "body")"},
      {"respond_wrong_type", route_of("respond = \"x\""), R"(route[1].respond: found "x", expected a table)"},
      {"header_framing", route_with("headers = { \"Content-Length\" = \"5\" }"),
       R"(route[1].headers: found "Content-Length: 5", expected another field name: the gateway sets this one itself)"},
      {"header_connection", route_with("headers = { connection = \"close\" }"),
       "the gateway sets this one itself"},
      {"header_line_break", route_with("headers = { \"X-A\" = \"a\\r\\nSet-Cookie: b\" }"),
       "without line breaks"},
      {"header_nul", route_with("headers = { \"X-A\" = \"a\\u0000\" }"),
       "without line breaks and control characters"},
      {"header_bad_name", route_with("headers = { \"X A\" = \"a\" }"), "a field name of letters"},
      {"header_empty_name", route_with("headers = { \"\" = \"a\" }"), "a field name of letters"},
      {"header_blank_end", route_with("headers = { \"X-A\" = \" a\" }"), "without blanks at its ends"},
      {"header_wrong_type", route_with("headers = { \"X-A\" = 1 }"),
       "route[1].headers.X-A: found the integer 1, expected a string"},
      {"duplicate_route", hello_route + hello_route,
       R"(t.toml:4: route[2]: found the route "/" again, expected only one: line 1 has the same path, host and method)"},
      {"duplicate_method", route_with("methods = [\"GET\", \"PUT\"]") + route_with("method = \"PUT\""),
       "route[2]: found the route"},
  };
  for (ConfigFault& fault : faults) {
    const bool is_whole = fault.toml.find("route") != std::string::npos;
    if (!is_whole) fault.toml += "\n" + hello_route;
  }
  return faults;
}

}  // namespace tollgate::testing
