// What finding a route costs, by size of the table and by place of the route.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "gateway/routing/route_table.hpp"

namespace tollgate::gateway {
namespace {

std::vector<Route> routes_of(std::int64_t count) {
  std::vector<Route> routes(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i + 1 < routes.size(); ++i) {
    routes[i].path =
        "/service" + std::to_string(i % 100) + "/resource" + std::to_string(i) + (i % 2 ? "/*" : "");
  }
  routes.back().path = "/hello";
  return routes;
}

void look_up(benchmark::State& state, std::string_view path) {
  const std::vector<Route> routes = routes_of(state.range(0));
  const RouteTable table(routes);
  http::Request request;
  request.path = path;
  request.host = "a.example";
  for (auto _ : state) benchmark::DoNotOptimize(table.find(request));
}

void exact(benchmark::State& state) {
  look_up(state, "/hello");
}
void prefix(benchmark::State& state) {
  look_up(state, "/service1/resource1/some/item");
}
void unknown(benchmark::State& state) {
  look_up(state, "/nothing/of/that/name");
}

// A path made to be slow: the cost stays proportional to its length.
void hostile(benchmark::State& state) {
  static const std::string path = [] {
    std::string text;
    while (text.size() < 8000) text += "/a";
    return text;
  }();
  look_up(state, path);
}

BENCHMARK(exact)->Arg(1)->Arg(10)->Arg(1000)->Arg(4000);
BENCHMARK(prefix)->Arg(10)->Arg(1000)->Arg(4000);
BENCHMARK(unknown)->Arg(10)->Arg(1000)->Arg(4000);
BENCHMARK(hostile)->Arg(10)->Arg(4000);

}  // namespace
}  // namespace tollgate::gateway
