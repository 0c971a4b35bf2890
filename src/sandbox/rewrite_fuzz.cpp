// Fuzzes the rewriter (engine/src/rewrite.rs). Input that begins with 'R' is a recipe: a module with data
// segments that overlap, do not fit, are passive or named by instructions, and maybe a start function; it
// must behave the same with and without the rewrite, memory included. Anything else is a module as it is:
// refused with a sentence, or rewritten to a valid one whose image lies inside its memory.
#include <sys/mman.h>
#include <tollgate_engine.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/wasi/preview1.hpp"
#include "sandbox/wasmtime/engine_handle.hpp"
#include "sandbox/wasmtime/error_text.hpp"

namespace tollgate::sandbox {
namespace {

using Bytes = std::vector<std::uint8_t>;
using Image = std::span<const tollgate_image_run_t>;
using Rewritten = std::unique_ptr<tollgate_compiled_t, EngineDeleter<tollgate_compiled_delete>>;

constexpr std::uint64_t memory_bytes_max = 1u << 30;
constexpr std::size_t memory_bytes = 64u << 10;  // of the recipes' modules
constexpr std::size_t segments_max = 12;
constexpr std::size_t instructions_max = 6;

[[noreturn]] void defect(const char* what, const std::string& detail) {
  std::fprintf(stderr, "%s: %s\n", what, detail.c_str());
  std::abort();
}

struct Result {
  Rewritten rewritten;  // null when refused
  std::string sentence;
};

Result rewrite(std::span<const std::uint8_t> module) {
  std::vector<tollgate_host_function_t> functions;
  for (const HostFunction& function : preview1_functions()) {
    functions.push_back(
        {function.name.data(), function.name.size(), function.signature.data(), function.signature.size()});
  }
  const tollgate_compile_input_t input{module.data(), module.size(), functions.data(), functions.size(),
                                       memory_bytes_max};
  tollgate_compiled_t* out = nullptr;
  wasmtime_error_t* error = tollgate_rewrite(&input, &out);
  return {Rewritten(out), take_text(error)};
}

tollgate_compiled_view_t view_of(const Rewritten& rewritten) {
  tollgate_compiled_view_t view;
  tollgate_compiled_facts(rewritten.get(), &view);
  return view;
}

// The engine with memories that begin with an image, as the product's slots do.
class ImageEngine {
 public:
  ImageEngine() {
    const tollgate_host_t host{
        .env = this,
        .new_memory = new_memory,
        .grow_memory = [](void*, std::size_t) { return false; },
        .drop_memory = [](void*) {},  // kept to be looked at
        .new_stack = [](void*, std::size_t, void**) -> std::uint8_t* { return nullptr; },
        .drop_stack = [](void*) {},
    };
    const tollgate_engine_options_t options{&host, 0, 0};
    wasmtime_error_t* error = nullptr;
    engine_.reset(tollgate_engine_new(TOLLGATE_ENGINE_HOT_SET, &options, &error));
    if (engine_ == nullptr) defect("no engine", take_text(error));
  }
  ImageEngine(const ImageEngine&) = delete;

  ~ImageEngine() { unmap(); }

  wasm_engine_t* raw() const { return engine_.get(); }
  void set_image(Image image) { image_ = image; }

  // What the last run left, also one whose instantiation failed.
  Bytes memory() const {
    if (mapping_ == nullptr) return {};
    return {static_cast<std::uint8_t*>(mapping_) + guard_bytes,
            static_cast<std::uint8_t*>(mapping_) + guard_bytes + bytes_};
  }

 private:
  static constexpr std::size_t guard_bytes = 32u << 20;
  static constexpr std::size_t mapping_bytes = (4ull << 30) + 2 * guard_bytes;

  static std::uint8_t* new_memory(void* context, std::size_t initial_bytes, void** owner) {
    auto& self = *static_cast<ImageEngine*>(context);
    self.unmap();
    void* mapping =
        ::mmap(nullptr, mapping_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED) return nullptr;
    self.mapping_ = mapping;
    self.bytes_ = initial_bytes;
    auto* const base = static_cast<std::uint8_t*>(mapping) + guard_bytes;
    if (initial_bytes > 0 && ::mprotect(base, initial_bytes, PROT_READ | PROT_WRITE) != 0) return nullptr;
    for (const auto& run : self.image_) std::memcpy(base + run.offset, run.bytes, run.length);
    *owner = mapping;
    return base;
  }

  void unmap() {
    if (mapping_ != nullptr) ::munmap(std::exchange(mapping_, nullptr), mapping_bytes);
  }

  EngineHandle engine_;
  Image image_;
  void* mapping_ = nullptr;
  std::size_t bytes_ = 0;
};

ImageEngine& image_engine() {
  static ImageEngine engine;  // the fuzzer's process makes thousands of runs
  return engine;
}

// What can be seen of a run.
struct Observed {
  std::string ending;
  Bytes memory;
  bool operator==(const Observed&) const = default;
};

std::string ending_of(wasmtime_error_t* error, wasm_trap_t* trap) {
  if (error != nullptr) return "error " + take_text(error);
  if (trap == nullptr) return "done";
  wasmtime_trap_code_t code = 0;
  std::string text = wasmtime_trap_code(trap, &code) ? "trap " + std::to_string(code) : "trap";
  wasm_trap_delete(trap);
  return text;
}

class Instance {
 public:
  explicit Instance(const wasmtime_module_t* module)
      : store_(wasmtime_store_new(image_engine().raw(), nullptr, nullptr)),
        context_(wasmtime_store_context(store_)) {
    wasmtime_context_set_epoch_deadline(context_, 1u << 30);
    wasm_trap_t* trap = nullptr;
    wasmtime_error_t* error = wasmtime_instance_new(context_, module, nullptr, 0, &instance_, &trap);
    ending_ = ending_of(error, trap);
  }
  Instance(const Instance&) = delete;
  ~Instance() { wasmtime_store_delete(store_); }

  bool alive() const { return ending_ == "done"; }
  const std::string& ending() const { return ending_; }

  void call(std::string_view name) {
    wasmtime_extern_t item;
    if (!wasmtime_instance_export_get(context_, &instance_, name.data(), name.size(), &item)) {
      defect("no such export", std::string(name));
    }
    wasm_trap_t* trap = nullptr;
    wasmtime_error_t* error = wasmtime_func_call(context_, &item.of.func, nullptr, 0, nullptr, 0, &trap);
    ending_ = ending_of(error, trap);
  }

 private:
  wasmtime_store_t* store_;
  wasmtime_context_t* context_;
  wasmtime_instance_t instance_{};
  std::string ending_;
};

// What enters the guest after instantiation: nothing does in a rewritten module.
enum class Enter : std::uint8_t { by_start_function, by_entry_point };

Observed observe(std::span<const std::uint8_t> module, Image image, Enter how) {
  wasmtime_module_t* compiled = nullptr;
  wasmtime_error_t* error =
      wasmtime_module_new(image_engine().raw(), module.data(), module.size(), &compiled);
  if (error != nullptr) defect("does not compile", take_text(error));
  image_engine().set_image(image);
  Observed observed;
  {
    Instance instance(compiled);
    if (instance.alive() && how == Enter::by_entry_point) instance.call("_start");
    observed.ending = instance.ending();
    observed.memory = image_engine().memory();
  }
  wasmtime_module_delete(compiled);
  return observed;
}

// Deals out the input's bytes; zeros when it is used up.
class Recipe {
 public:
  explicit Recipe(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  unsigned below(unsigned bound) {
    if (bytes_.empty()) return 0;
    const unsigned value = bytes_.front();
    bytes_ = bytes_.subspan(1);
    return value % bound;
  }

  std::string module() {
    std::string text = R"((module (memory (export "memory") 1 1) )";
    const unsigned segments = below(segments_max + 1);
    for (unsigned i = 0; i < segments; ++i) text += segment();
    text += R"((func (export "_start") )";
    const unsigned instructions = segments == 0 ? 0 : below(instructions_max + 1);
    for (unsigned i = 0; i < instructions; ++i) text += instruction(segments);
    text += ")";
    if (const unsigned kind = below(4); kind > 0) {
      text += "(func $s (i32.store8 (i32.const 5) (i32.add (i32.load8_u (i32.const 5)) (i32.const 1)))";
      text += kind == 3 ? " unreachable" : "";
      text += ") (start $s)";
    }
    return text + ")";
  }

 private:
  std::string content() {
    std::string text = "\"";
    const unsigned length = below(9);
    for (unsigned i = 0; i < length; ++i) {
      const unsigned letter = below(5);
      text += letter == 0 ? std::string("\\00") : std::string(1, static_cast<char>('a' + letter));
    }
    return text + "\"";
  }

  std::string segment() {
    const auto number = [](unsigned value) { return "(i32.const " + std::to_string(value) + ")"; };
    switch (below(10)) {
      case 0:
        return "(data " + content() + ")";
      case 1:
        return "(data " + number(memory_bytes - 6 + below(10)) + content() + ")";
      case 2:
        return "(data (offset (i32.sub " + number(30 + below(9)) + number(below(9)) + "))" + content() + ")";
      case 3:
        return "(data " + number(4090 + below(12)) + content() + ")";
      default:
        return "(data " + number(below(40)) + content() + ")";
    }
  }

  std::string instruction(unsigned segments) {
    const std::string index = std::to_string(below(segments));
    if (below(3) == 0) return "(data.drop " + index + ")";
    const std::string to = std::to_string(below(48));
    const std::string from = std::to_string(below(3));
    return "(memory.init " + index + " (i32.const " + to + ") (i32.const " + from + ") (i32.const " +
           std::to_string(below(5)) + "))";
  }

  std::span<const std::uint8_t> bytes_;
};

void check_recipe(std::span<const std::uint8_t> bytes) {
  const std::string text = Recipe(bytes).module();
  wasm_byte_vec_t binary;
  if (wasmtime_error_t* error = wasmtime_wat2wasm(text.data(), text.size(), &binary)) {
    defect("the recipe is wrong", take_text(error));
  }
  const Bytes module(binary.data, binary.data + binary.size);
  wasm_byte_vec_delete(&binary);
  const Result result = rewrite(module);
  if (result.rewritten == nullptr) defect("refused a good module", result.sentence + "\n" + text);
  const auto view = view_of(result.rewritten);
  const Observed before = observe(module, {}, Enter::by_entry_point);
  const Observed after = observe({view.code, view.code_bytes}, {view.image_runs, view.image_runs_count},
                                 Enter::by_start_function);
  if (before != after) defect("behaves differently", before.ending + " and " + after.ending + "\n" + text);
}

void check_any_bytes(std::span<const std::uint8_t> bytes) {
  const Result result = rewrite(bytes);
  if (result.rewritten == nullptr) {
    if (result.sentence.empty()) defect("refused without a sentence", "");
    return;
  }
  const auto view = view_of(result.rewritten);
  if (wasmtime_error_t* error = wasmtime_module_validate(image_engine().raw(), view.code, view.code_bytes)) {
    defect("the result is not valid", take_text(error));
  }
  std::uint64_t end = 0;
  for (const auto& run : Image(view.image_runs, view.image_runs_count)) {
    if (run.offset < end || run.offset % 4096 != 0 || run.length % 4096 != 0)
      defect("the image is disordered", "");
    end = run.offset + run.length;
  }
  if (end > view.memory_pages_min * (64u << 10)) defect("the image is larger than the memory", "");
}

}  // namespace
}  // namespace tollgate::sandbox

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span bytes(data, size);
  if (size > 0 && data[0] == 'R') {
    tollgate::sandbox::check_recipe(bytes.subspan(1));
  } else {
    tollgate::sandbox::check_any_bytes(bytes);
  }
  return 0;
}
