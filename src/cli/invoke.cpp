// tollgate invoke: requests to a module without a server, and what each step cost.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "cli/commands.hpp"
#include "cli/read_file.hpp"
#include "gateway/abi/cgi_request.hpp"
#include "gateway/abi/cgi_response.hpp"
#include "gateway/config/config.hpp"
#include "gateway/reasons.hpp"
#include "http/field_policy.hpp"
#include "http/method.hpp"
#include "http/target.hpp"
#include "sandbox/collected_output.hpp"
#include "sandbox/engine_fingerprint.hpp"
#include "sandbox/program_preparation.hpp"
#include "sandbox/wasmtime/engine.hpp"
#include "sandbox/whole_body.hpp"

namespace tollgate::cli {
namespace {

using std::chrono::nanoseconds;
using Clock = std::chrono::steady_clock;

struct Options {
  std::string module;
  std::string method = "GET";
  std::string target = "/";
  std::vector<std::string> headers;
  std::string body;
  std::string abi = "cgi";
  std::vector<std::string> env;
  std::vector<std::string> args;
  unsigned repeat = 1;
  bool trust_precompiled = false;
};

struct Answer {
  sandbox::Outcome outcome;
  std::string output;
  std::string log_text;
};

int fail(std::string_view subject, std::string_view reason) {
  fmt::print(stderr, "tollgate: {}: {}\n", subject, reason);
  return exit_failed;
}

// "@FILE" is the file's content, "-" is stdin, anything else is itself.
expected<std::string, std::string> read_body(const std::string& given) {
  if (given == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
  if (!given.starts_with('@')) return given;
  auto content = read_file(given.substr(1));
  if (!content) return unexpected(given.substr(1) + " " + content.error());
  return content;
}

// What no server would have taken either; nullopt when all is well.
std::optional<std::string> fault_in(const Options& options) {
  if (!http::is_served_method(options.method)) {
    return fmt::format("--method: \"{}\" is no method that is served", options.method);
  }
  if (!options.target.starts_with('/')) {
    return fmt::format("--path: needs a path that begins with /, not \"{}\"", options.target);
  }
  std::string scratch;
  if (const auto target = http::parse_target(options.target, http::Method::get, scratch); !target) {
    return fmt::format("--path: \"{}\" is refused: {}", options.target, refusal(target.error()).what);
  }
  for (const std::string_view header : options.headers) {
    const std::size_t colon = header.find(':');
    if (colon == std::string_view::npos ||
        !http::is_writable({header.substr(0, colon), header.substr(colon + 1)})) {
      return fmt::format("--header: needs \"Name: value\", not \"{}\"", header);
    }
  }
  for (const std::string_view variable : options.env) {
    const std::size_t equals = variable.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      return fmt::format("--env: needs NAME=VALUE, not \"{}\"", variable);
    }
  }
  return std::nullopt;
}

// The request as the gateway would see it; views into the options.
class Asked {
 public:
  Asked(const Options& options, std::string_view body) : body_(body) {
    const std::string_view target = options.target;
    const std::size_t mark = target.find('?');
    request_.method_name = options.method;
    request_.method = options.method == "GET"    ? http::Method::get
                      : options.method == "HEAD" ? http::Method::head
                                                 : http::Method::other;
    request_.target = target;
    request_.path = target.substr(0, mark);
    request_.query = mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
    request_.authority = request_.host = "localhost";
    request_.content_length = body.size();
    for (const std::string_view header : options.headers) {
      const std::size_t colon = header.find(':');
      std::string_view value = header.substr(colon + 1);
      while (value.starts_with(' ')) value.remove_prefix(1);
      request_.fields.add(header.substr(0, colon), value);
      if (!http::equal_ignoring_case(header.substr(0, colon), "host")) continue;
      request_.authority = value;
      request_.host = value.substr(0, value.find(':', value.starts_with('[') ? value.find(']') : 0));
    }
  }

  gateway::abi::CgiFacts facts() const {
    return {.request = request_,
            .route_path = "/*",
            .matched_prefix = "",
            .body_bytes = body_.size(),
            .remote_address = "127.0.0.1",
            .local_address = "127.0.0.1",
            .local_port = 80};
  }
  std::string_view body() const { return body_; }

 private:
  std::string_view body_;
  http::Request request_;
};

sandbox::Limits default_limits() {
  const gateway::Limits limits;
  return {limits.memory_bytes, limits.output_bytes, limits.stderr_bytes, limits.cpu};
}

Answer run_once(sandbox::Program& program, const Asked& asked, std::span<const std::string_view> environment,
                std::span<const std::string_view> args) {
  sandbox::WholeBody body(asked.body());
  sandbox::CollectedOutput sink;
  const sandbox::Input input{
      .body = &body, .args = args, .environment = environment, .directories = {}, .limits = default_limits()};
  const Clock::time_point deadline = Clock::now() + gateway::Limits{}.deadline;
  const auto run = program.start(input, sink);
  for (auto state = sandbox::Run::State::runnable; state != sandbox::Run::State::ended;) {
    if (Clock::now() >= deadline) run->cancel();
    state = run->resume();
    if (state == sandbox::Run::State::waiting) {
      std::this_thread::sleep_until(std::min(run->wake_at().value_or(deadline), deadline));
    }
  }
  Answer answer;
  answer.outcome = run->take_outcome();
  answer.output = std::move(sink.out);
  answer.log_text = std::move(sink.err);
  return answer;
}

// As a route would name it (gateway/reasons.hpp).
const http::Reason& reason_of(sandbox::Ending ending) {
  switch (ending) {
    case sandbox::Ending::exit_code:
      return gateway::reasons::exit_code;
    case sandbox::Ending::trap:
      return gateway::reasons::trap;
    case sandbox::Ending::memory:
      return gateway::reasons::memory;
    case sandbox::Ending::cpu:
      return gateway::reasons::cpu;
    case sandbox::Ending::cancelled:
      return gateway::reasons::deadline;
    case sandbox::Ending::output:
      return gateway::reasons::output;
    case sandbox::Ending::capacity:
      return gateway::reasons::capacity;
    case sandbox::Ending::done:
    case sandbox::Ending::engine:
      break;
  }
  return http::reasons::internal;
}

void print_failure(const sandbox::Outcome& outcome) {
  const http::Reason& reason = reason_of(outcome.ending);
  std::string detail = outcome.detail;
  if (outcome.ending == sandbox::Ending::exit_code) detail = fmt::format("exit code {}", outcome.exit_code);
  fmt::print(stderr, "{}: {}\n", reason.word, detail.empty() ? reason.text : detail);
}

// To stdout, as `curl -i` would show it. False when the output is no response.
bool print_response(const Answer& answer, gateway::Abi abi) {
  gateway::abi::CgiResponse response;
  response.body = answer.output;
  if (abi == gateway::Abi::cgi) {
    const auto read = gateway::abi::read_cgi_response(answer.output, response);
    if (!read) {
      fmt::print(stderr, "response: {}\n", read.error().sentence);
      return false;
    }
  }
  std::string head = fmt::format("HTTP/1.1 {}\n", response.status);
  for (const http::Field& field : response.fields) head += fmt::format("{}: {}\n", field.name, field.value);
  head += "\n";
  std::fwrite(head.data(), 1, head.size(), stdout);
  std::fwrite(response.body.data(), 1, response.body.size(), stdout);
  std::fflush(stdout);
  return true;
}

double microseconds(nanoseconds time) {
  return std::chrono::duration<double, std::micro>(time).count();
}

void print_cost(std::string_view name, std::vector<nanoseconds> times) {
  std::sort(times.begin(), times.end());
  if (times.size() == 1) {
    fmt::print(stderr, "{:<12} {:>10.2f} us\n", name, microseconds(times[0]));
  } else {
    fmt::print(stderr, "{:<12} {:>10.2f} us least, {:>10.2f} us median of {}\n", name, microseconds(times[0]),
               microseconds(times[times.size() / 2]), times.size());
  }
}

void print_costs(nanoseconds compile, nanoseconds load, const std::vector<sandbox::Costs>& costs) {
  const auto each = [&costs](auto part) {
    std::vector<nanoseconds> times;
    for (const sandbox::Costs& one : costs) times.push_back(one.*part);
    return times;
  };
  fmt::print(stderr, "\n");
  print_cost("compile", {compile});
  print_cost("load", {load});
  print_cost("instantiate", each(&sandbox::Costs::instantiate));
  print_cost("run", each(&sandbox::Costs::run));
  print_cost("teardown", each(&sandbox::Costs::teardown));
  fmt::print(stderr, "{:<12} {:>10} pages of 4 KiB written, {} KiB of memory\n", "hot",
             costs.back().hot_pages, costs.back().memory_bytes / 1024);
}

int invoke(const Options& options) {
  if (const auto fault = fault_in(options)) {
    fmt::print(stderr, "{}\n", *fault);
    return exit_usage;
  }
  const auto body = read_body(options.body);
  if (!body) return fail("--body", body.error());
  const auto fingerprint = sandbox::engine_fingerprint();
  if (!fingerprint) return fail("engine", fingerprint.error());
  sandbox::PreparationOptions preparation;
  if (options.trust_precompiled) preparation.precompiled = sandbox::Precompiled::trusted;
  const Clock::time_point begun = Clock::now();
  // Never from the cache: what compiling costs is to be shown.
  auto prepared = sandbox::prepare_program(options.module, default_limits().memory_bytes_max, nullptr,
                                           *fingerprint, preparation);
  const Clock::time_point compiled = Clock::now();
  if (!prepared.bundle) return fail(options.module, prepared.bundle.error());
  auto engine = sandbox::WasmtimeEngine::create();
  if (!engine) return fail("engine", engine.error());
  const Clock::time_point made = Clock::now();
  const auto program = (*engine)->load(std::move(*prepared.bundle));
  const Clock::time_point loaded = Clock::now();
  if (!program) return fail(options.module, program.error());

  std::map<std::string, std::string> env;
  for (const std::string& variable : options.env) {
    const std::size_t equals = variable.find('=');
    env[variable.substr(0, equals)] = variable.substr(equals + 1);
  }
  const gateway::Abi abi = options.abi == "stdio" ? gateway::Abi::stdio : gateway::Abi::cgi;
  const gateway::abi::RouteEnvironment route(std::string((*program)->name()), env, options.args);
  const Asked asked(options, *body);
  gateway::abi::CgiRequest cgi;
  if (abi == gateway::Abi::cgi) cgi.assemble(asked.facts(), route);
  const auto environment = abi == gateway::Abi::cgi ? cgi.environment() : route.variables();
  const auto args = abi == gateway::Abi::cgi ? cgi.args() : route.args();

  Answer last;
  std::vector<sandbox::Costs> costs;
  for (unsigned i = 0; i < options.repeat && last.outcome.ending == sandbox::Ending::done; ++i) {
    last = run_once(**program, asked, environment, args);
    costs.push_back(last.outcome.costs);
  }
  fmt::print(stderr, "{}", last.log_text);
  bool answered = last.outcome.ending == sandbox::Ending::done;
  if (answered) {
    answered = print_response(last, abi);
  } else {
    print_failure(last.outcome);
  }
  print_costs(compiled - begun, loaded - made, costs);
  return answered ? exit_ok : exit_failed;
}

}  // namespace

void add_invoke(CLI::App& app, int& exit_code) {
  constexpr unsigned repeat_max = 1'000'000;
  auto options = std::make_shared<Options>();
  CLI::App* const command =
      app.add_subcommand("invoke", "run requests to a module without a server, with their cost");
  command->add_option("module", options->module, "a core WASI preview 1 module")
      ->required()
      ->check(not_empty);
  command->add_option("--method", options->method, "request method")->capture_default_str();
  command->add_option("--path", options->target, "path, with a query if you like")->capture_default_str();
  command->add_option("--header", options->headers, "\"Name: value\"; may be repeated")
      ->allow_extra_args(false);
  command->add_option("--body", options->body, "request body: text, @FILE, or - for stdin");
  command->add_option("--abi", options->abi, "how the module is called")
      ->check(CLI::IsMember({"cgi", "stdio"}))
      ->capture_default_str();
  command->add_option("--env", options->env, "NAME=VALUE; may be repeated")->allow_extra_args(false);
  command->add_option("--arg", options->args, "argument of the module; may be repeated")
      ->allow_extra_args(false);
  command->add_option("--repeat", options->repeat, "so many requests, each in its own sandbox")
      ->check(CLI::Range(1u, repeat_max))
      ->capture_default_str();
  command->add_flag("--trust-precompiled", options->trust_precompiled,
                    "load a file of `tollgate compile`: loading it is executing it");
  command->footer(
      "The response goes to stdout; the guest's stderr and the costs go to stderr.\n"
      "\n"
      "examples:\n"
      "  tollgate invoke handler.wasm --path '/a?b=c' --header 'Accept: text/plain'\n"
      "  tollgate invoke gateway_wasm.wasm --abi stdio --body hello --repeat 1000\n"
      "\n"
      "exit codes: 0 it answered, 1 it did not, 2 the command line is wrong");
  command->callback([options, &exit_code] { exit_code = invoke(*options); });
}

}  // namespace tollgate::cli
