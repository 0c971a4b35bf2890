// tollgate doctor: what is there, what follows from it.
#include "cli/doctor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <string_view>

#include "cli/commands.hpp"

namespace tollgate::cli {
namespace {

std::string_view word(Verdict verdict) {
  switch (verdict) {
    case Verdict::ok:
      return "ok";
    case Verdict::note:
      return "note";
    case Verdict::problem:
      return "PROBLEM";
  }
  return "";
}

// Prints a section; gives the number of problems in it.
std::size_t print(std::string_view title, const std::vector<Finding>& findings) {
  fmt::print("{}\n", title);
  for (const Finding& finding : findings) {
    fmt::print("  {:<8} {:<20} {}\n", word(finding.verdict), finding.what, finding.found);
    if (!finding.means.empty()) fmt::print("  {:<8} {:<20} -> {}\n", "", "", finding.means);
  }
  return static_cast<std::size_t>(std::count_if(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.verdict == Verdict::problem;
  }));
}

int doctor() {
  std::size_t problems = print("kernel and limits", examine_kernel());
  problems += print("engine", examine_engine());
  problems += print("tools (all optional)", examine_tools());
  fmt::print("{}\n",
             problems == 0 ? "tollgate can serve here" : fmt::format("{} problem(s), see above", problems));
  return problems == 0 ? exit_ok : exit_failed;
}

}  // namespace

void add_doctor(CLI::App& app, int& exit_code) {
  CLI::App* const command =
      app.add_subcommand("doctor", "look at this machine: kernel, limits, engine, tools");
  command->footer(
      "examples:\n"
      "  tollgate doctor\n"
      "  tollgate doctor >/dev/null || echo 'not on this machine'\n"
      "\n"
      "exit codes: 0 tollgate can serve here, 1 there are problems, 2 the command line is wrong");
  command->callback([&exit_code] { exit_code = doctor(); });
}

}  // namespace tollgate::cli
