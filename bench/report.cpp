#include "bench/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

namespace tollgate::bench {
namespace {

using nlohmann::ordered_json;

std::vector<double> values_of(const std::vector<Measurement>& blocks, const std::string& name) {
  std::vector<double> values;
  for (const Measurement& block : blocks) {
    if (const auto found = block.find(name); found != block.end()) values.push_back(found->second);
  }
  return values;
}

bool is_empty(const std::vector<Measurement>& blocks) {
  return std::all_of(blocks.begin(), blocks.end(), [](const Measurement& block) { return block.empty(); });
}

bool is_load(const std::vector<Measurement>& blocks) {
  return !values_of(blocks, cpu_per_request).empty();
}

void load_table(std::string& text, const Run& run) {
  auto out = std::back_inserter(text);
  fmt::format_to(out, "{:<20}{:>16}{:>12}{:>12}{:>10}{:>10}{:>8}\n", "arm", "CPU us/request", "best tenth",
                 "requests/s", "p50 us", "p99 us", "busy");
  bool marked = false;
  for (const auto& [arm, blocks] : run.results) {
    if (!is_load(blocks)) continue;
    const auto middle = [&blocks = blocks](const char* name) { return median(values_of(blocks, name)); };
    const std::vector<double> busy = values_of(blocks, server_busy);
    const bool waiting = !busy.empty() && median(busy) < busy_enough;
    marked = marked || waiting;
    fmt::format_to(out, "{:<20}{:>16.3f}{:>12.3f}{:>12.0f}{:>10.0f}{:>10.0f}{:>8}{}\n", arm,
                   middle(cpu_per_request), middle(cpu_per_request_best_tenth), middle("requests_per_second"),
                   middle("p50_us"), middle("p99_us"),
                   busy.empty() ? std::string("shared") : fmt::format("{:.0f} %", median(busy) * 100),
                   waiting ? " *" : "");
    if (const double errors = quantile(values_of(blocks, "errors"), 1); errors > 0) {
      fmt::format_to(out, "{:<20}  {:.0f} requests failed in the worst block\n", "", errors);
    }
  }
  if (marked) {
    fmt::format_to(
        out, "* the server's core was less than {:.0f} % busy: the client is the limit, not the server\n",
        busy_enough * 100);
  }
}

void other_values(std::string& text, const Run& run) {
  for (const auto& [arm, blocks] : run.results) {
    if (is_load(blocks) || is_empty(blocks)) continue;
    fmt::format_to(std::back_inserter(text), "\n{}: {}\n", arm, run.abouts.at(arm));
    std::map<std::string, bool> names;
    for (const Measurement& block : blocks) {
      for (const auto& [name, value] : block) names[name] = true;
    }
    for (const auto& [name, seen] : names) {
      const Spread values = spread(values_of(blocks, name));
      fmt::format_to(std::back_inserter(text), "  {:<32}{:>12.3f}   ({:.3f} to {:.3f})\n", name,
                     values.median, values.lowest, values.highest);
    }
  }
}

void figure_table(std::string& text, const Run& run) {
  auto out = std::back_inserter(text);
  fmt::format_to(out, "\n{:<52}{:>10}   {:<20}{:>8}{:>8}\n", "figure (median of blocks)", "", "range", "must",
                 "aim");
  for (const Figure& figure : all_figures()) {
    if (const auto value = figure_value(figure, run.results)) {
      fmt::format_to(out, "{:<52}{:>10}   {:<20}{:>8.4g}{:>8.4g}  {}", figure.text,
                     fmt::format("{:.3f} {}", value->median, figure.unit),
                     fmt::format("{:.3f} to {:.3f}", value->lowest, value->highest), figure.must, figure.aim,
                     verdict(figure, value->median));
      if (const auto best = figure_of_best_tenth(figure, run.results)) {
        fmt::format_to(out, "; best tenth {:.3f}", best->median);
      }
      text += '\n';
    }
  }
}

}  // namespace

std::string text_report(const Run& run) {
  std::string text =
      fmt::format("{}\n{}\n{} blocks, seed {}\n\n", run.version, run.machine, run.blocks, run.seed);
  load_table(text, run);
  other_values(text, run);
  figure_table(text, run);
  for (const auto& [arm, reason] : run.skipped) text += fmt::format("skipped {}: {}\n", arm, reason);
  for (const auto& [arm, reason] : run.failures) text += fmt::format("FAILED {}: {}\n", arm, reason);
  return text;
}

std::string json_report(const Run& run) {
  ordered_json json{
      {"version", run.version}, {"machine", run.machine}, {"seed", run.seed}, {"blocks", run.blocks}};
  for (const auto& [arm, blocks] : run.results)
    json["arms"][arm] = {{"about", run.abouts.at(arm)}, {"blocks", blocks}};
  json["figures"] = ordered_json::array();
  for (const Figure& figure : all_figures()) {
    const auto value = figure_value(figure, run.results);
    if (!value) continue;
    json["figures"].push_back({{"figure", figure.text},
                               {"unit", figure.unit},
                               {"median", value->median},
                               {"lowest", value->lowest},
                               {"highest", value->highest},
                               {"must", figure.must},
                               {"aim", figure.aim},
                               {"verdict", verdict(figure, value->median)}});
    if (const auto best = figure_of_best_tenth(figure, run.results)) {
      json["figures"].back()["best_tenth"] = best->median;
    }
  }
  json["skipped"] = run.skipped;
  json["failures"] = run.failures;
  return json.dump(2) + '\n';
}

}  // namespace tollgate::bench
