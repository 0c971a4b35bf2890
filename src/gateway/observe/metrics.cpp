#include "gateway/observe/metrics.hpp"

#include <algorithm>

namespace tollgate::gateway {
namespace {

using Routes = std::map<std::string, RouteTotals>;

// One family over all routes, of those where `applies` holds.
template <class Applies, class Sample>
void for_routes(const Routes& routes, Applies&& applies, Sample&& sample) {
  for (const auto& [name, totals] : routes) {
    if (applies(totals)) sample(name, totals);
  }
}

bool always(const RouteTotals&) {
  return true;
}
bool has_guests(const RouteTotals& route) {
  return route.guest_run.count() > 0 || route.sandboxes_max > 0;
}
bool has_programs(const RouteTotals& route) {
  return route.program_run.count() > 0;
}
bool has_upstream(const RouteTotals& route) {
  return route.upstream_connects + route.upstream_reuses > 0;
}

double seconds(std::uint64_t nanoseconds) {
  return static_cast<double>(nanoseconds) * 1e-9;
}

void gateway_families(PrometheusText& text, const MetricsSnapshot& snapshot) {
  const WorkerTotals& workers = snapshot.totals.workers;
  text.gauge_family("tollgate_build_info", "Version of tollgate and of its Wasm engine; always 1.");
  text.gauge(1, {{"version", snapshot.version}, {"engine", snapshot.engine}});
  text.gauge_family("tollgate_workers", "Worker processes that serve.");
  text.gauge(snapshot.workers);
  text.counter_family("tollgate_worker_restarts", "Workers started anew because one had died.");
  text.counter(snapshot.worker_restarts);
  text.counter_family("tollgate_reloads",
                      "Configurations loaded while serving, and those that were refused.");
  text.counter(snapshot.reloads, {{"result", "loaded"}});
  text.counter(snapshot.reloads_refused, {{"result", "refused"}});
  text.counter_family("tollgate_connections_accepted", "Client connections accepted.");
  text.counter(workers.connections_accepted);
  text.gauge_family("tollgate_connections_open", "Client connections open now.");
  text.gauge(workers.connections_open);
  text.counter_family("tollgate_connections_rejected",
                      "Connections closed at once: over the cap, or no descriptors.");
  text.counter(workers.connections_rejected);
  text.counter_family("tollgate_connections_timed_out",
                      "Connections closed because the client was idle or too slow.");
  text.counter(workers.connections_timed_out);
  text.counter_family("tollgate_log_lines_dropped",
                      "Log lines lost because their sink did not take them in time.");
  text.counter(workers.log_lines_dropped + snapshot.supervisor_log_lines_dropped);
  text.histogram_family("tollgate_loop_delay_seconds", "How late the workers' event loops ran a timer.");
  text.histogram(workers.loop_delay);
}

void request_families(PrometheusText& text, const Routes& routes) {
  text.counter_family(
      "tollgate_requests",
      "Requests ended, by route, status sent (0: none) and outcome (ok, or the reason's word).");
  for_routes(routes, always, [&](const std::string& name, const RouteTotals& route) {
    for (const auto& [key, count] : route.requests) {
      text.counter(count, {{"route", name}, {"status", std::to_string(key.first)}, {"outcome", key.second}});
    }
  });
  text.counter_family("tollgate_request_body_bytes", "Bytes of request bodies.");
  for_routes(routes, always, [&](const std::string& name, const RouteTotals& route) {
    text.counter(route.request_bytes, {{"route", name}});
  });
  text.counter_family("tollgate_response_body_bytes", "Bytes of response bodies sent.");
  for_routes(routes, always, [&](const std::string& name, const RouteTotals& route) {
    text.counter(route.response_bytes, {{"route", name}});
  });
  const auto histogram = [&](const char* name, const char* help, DurationTotals RouteTotals::* member) {
    text.histogram_family(name, help);
    for_routes(routes, always, [&](const std::string& route_name, const RouteTotals& route) {
      text.histogram(route.*member, {{"route", route_name}});
    });
  };
  histogram("tollgate_request_queue_seconds", "Time a request waited for admission.", &RouteTotals::queue);
  histogram("tollgate_request_handler_seconds", "Time the backend worked on a request.",
            &RouteTotals::handler);
  histogram("tollgate_request_seconds", "Time from the whole head to the end of the response.",
            &RouteTotals::total);
}

void guest_families(PrometheusText& text, const Routes& routes) {
  const auto histogram = [&](const char* name, const char* help, DurationTotals RouteTotals::* member) {
    text.histogram_family(name, help);
    for_routes(routes, has_guests, [&](const std::string& route_name, const RouteTotals& route) {
      text.histogram(route.*member, {{"route", route_name}});
    });
  };
  histogram("tollgate_guest_instantiate_seconds", "Time to make a fresh sandbox.",
            &RouteTotals::guest_instantiate);
  histogram("tollgate_guest_run_seconds", "Time from a guest's start to its end.", &RouteTotals::guest_run);
  histogram("tollgate_guest_teardown_seconds", "Time to take a sandbox down.", &RouteTotals::guest_teardown);
  text.counter_family("tollgate_guest_cpu_seconds", "CPU time inside guests.");
  for_routes(routes, has_guests, [&](const std::string& name, const RouteTotals& route) {
    text.counter(seconds(route.guest_cpu_ns), {{"route", name}});
  });
  text.histogram_family("tollgate_guest_hot_pages",
                        "Memory pages of 4 KiB that a sandbox keeps writable and resets.");
  for_routes(routes, has_guests, [&](const std::string& name, const RouteTotals& route) {
    text.histogram(route.guest_hot_pages, {{"route", name}});
  });
  text.gauge_family("tollgate_sandboxes_active", "Sandboxes that exist now.");
  for_routes(routes, has_guests, [&](const std::string& name, const RouteTotals& route) {
    text.gauge(route.sandboxes_active, {{"route", name}});
  });
  text.gauge_family("tollgate_sandboxes_max",
                    "Most sandboxes at once, summed over the workers' own highest.");
  for_routes(routes, has_guests, [&](const std::string& name, const RouteTotals& route) {
    text.gauge(route.sandboxes_max, {{"route", name}});
  });
}

void program_families(PrometheusText& text, const Routes& routes) {
  text.histogram_family("tollgate_program_run_seconds",
                        "Time from asking for a spawned program until all of it was gone.");
  for_routes(routes, has_programs, [&](const std::string& name, const RouteTotals& route) {
    text.histogram(route.program_run, {{"route", name}});
  });
  text.counter_family("tollgate_program_cpu_seconds",
                      "CPU time of spawned programs and of their descendants.");
  for_routes(routes, has_programs, [&](const std::string& name, const RouteTotals& route) {
    text.counter(seconds(route.program_cpu_ns), {{"route", name}});
  });
  text.gauge_family("tollgate_program_memory_peak_bytes",
                    "Most memory that one spawned process had resident.");
  for_routes(routes, has_programs, [&](const std::string& name, const RouteTotals& route) {
    text.gauge(route.program_memory_peak_bytes, {{"route", name}});
  });
}

void upstream_families(PrometheusText& text, const Routes& routes) {
  const auto counter = [&](const char* name, const char* help, std::uint64_t RouteTotals::* member) {
    text.counter_family(name, help);
    for_routes(routes, has_upstream, [&](const std::string& route_name, const RouteTotals& route) {
      text.counter(route.*member, {{"route", route_name}});
    });
  };
  counter("tollgate_upstream_connects", "Connections opened to the upstream, also failed ones.",
          &RouteTotals::upstream_connects);
  counter("tollgate_upstream_reuses", "Requests sent over a pooled connection.",
          &RouteTotals::upstream_reuses);
  counter("tollgate_upstream_retries", "Requests sent again because a pooled connection had died.",
          &RouteTotals::upstream_retries);
  counter("tollgate_upstream_failures", "Requests that ended as 502 or 504.",
          &RouteTotals::upstream_failures);
}

}  // namespace

std::string metrics_text(const MetricsSnapshot& snapshot, Exposition format) {
  PrometheusText text(format);
  gateway_families(text, snapshot);
  const Routes& routes = snapshot.totals.routes;
  request_families(text, routes);
  guest_families(text, routes);
  program_families(text, routes);
  upstream_families(text, routes);
  text.gauge_family("tollgate_route_quarantined",
                    "1 for a route that is switched off after repeated crashes.");
  for (const auto& [name, totals] : routes) {
    const bool off = std::find(snapshot.quarantined.begin(), snapshot.quarantined.end(), name) !=
                     snapshot.quarantined.end();
    text.gauge(off ? 1 : 0, {{"route", name}});
  }
  return std::move(text).finish();
}

}  // namespace tollgate::gateway
