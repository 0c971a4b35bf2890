// The fault handler must be installed after the engine's, once per process; in a worker the engine sees to
// that. Here tests of slots alone may run first, so an engine is made before any test.
#include <gtest/gtest.h>
#include <wasmtime.h>

namespace {

class EngineFirst : public testing::Environment {
 public:
  void SetUp() override { wasm_engine_delete(wasm_engine_new()); }
};

const testing::Environment* const engine_first = testing::AddGlobalTestEnvironment(new EngineFirst);

}  // namespace
