// For tests and benchmarks: modules from text or files, compiled in this process and loaded, and runs of them
// with what they said collected.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/bundle.hpp"
#include "sandbox/collected_output.hpp"
#include "sandbox/program.hpp"
#include "sandbox/wasmtime/engine.hpp"
#include "sandbox/whole_body.hpp"

namespace tollgate::sandbox::testing {

std::string assemble(std::string_view wat);
std::string read_wasm(const std::string& path);  // "" when there is none

// Aborts the program on failure: only for guests that must load.
BundleFds compile(WasmtimeEngine& engine, std::string_view wasm, std::string name = "guest");
std::shared_ptr<Program> load_text(WasmtimeEngine& engine, std::string_view wat);

// What tests of sandboxes need of an engine; a second engine joins them by one more entry in engines().
struct EngineUnderTest {
  const char* name;
  // Engine and programs live until the returned objects go.
  struct Instance {
    virtual ~Instance() = default;
    virtual std::shared_ptr<Program> load(std::string_view wat) = 0;
  };
  std::unique_ptr<Instance> (*make)();
};
std::vector<EngineUnderTest> engines();

using Body = WholeBody;
using Collected = CollectedOutput;

struct Finished {
  Outcome outcome;
  std::string out;
  std::string err;
  int slices = 0;
};

// Starts and resumes a run until it has ended, sleeping while it waits.
Finished run(Program& program, std::string_view body = {}, Limits limits = {},
             std::vector<std::string_view> environment = {});

}  // namespace tollgate::sandbox::testing
