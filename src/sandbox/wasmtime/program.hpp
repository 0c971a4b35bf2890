// A loaded module: its code, its imports resolved once, and the slots its memories live in.
#pragma once

#include <memory>

#include "sandbox/bundle.hpp"
#include "sandbox/memory/slot_pool.hpp"
#include "sandbox/program.hpp"
#include "tollgate_run.h"

namespace tollgate::sandbox {

class WasmtimeEngine;

class WasmtimeProgram final : public Program {
 public:
  // Takes `program`, and program_mappings that were taken from the engine's budget. The engine must outlive
  // it.
  WasmtimeProgram(WasmtimeEngine& engine, tollgate_program* program, Manifest manifest, MemoryImage image);
  ~WasmtimeProgram() override;

  std::unique_ptr<Run> start(const Input& input, Sink& sink) override;
  std::string_view name() const override { return manifest_.name; }
  std::string_view digest() const override { return manifest_.module_digest; }

  WasmtimeEngine& engine() { return engine_; }
  const tollgate_program* raw() const { return program_; }
  SlotPool& slots() { return slots_; }

 private:
  WasmtimeEngine& engine_;
  tollgate_program* program_;
  Manifest manifest_;
  SlotPool slots_;
};

}  // namespace tollgate::sandbox
