// Memory: what the gateway takes at rest, and what each further program adds.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <thread>

#include "bench/arm.hpp"
#include "bench/http_client.hpp"
#include "bench/process_tree.hpp"

namespace tollgate::bench {
namespace {

constexpr char small_guest[] = "gateway_wasm_c.wasm";
constexpr std::chrono::milliseconds rest{500};
constexpr double bytes_per_megabyte = 1e6;

class RestArm final : public WholeArm {
 public:
  RestArm()
      : WholeArm("memory-at-rest", "supervisor and one worker with a native route, after one request") {}

  Measurement run(const Context& context) override {
    const Folder folder;
    const Server server = Server::tollgate(context.programs, folder, context.placement.server, 1,
                                           "[[route]]\npath = \"/\"\nnative = \"hello\"\n");
    if (http_get(server.port(), "/").status != 200) throw std::runtime_error("no 200");
    std::this_thread::sleep_for(rest);
    const Memory memory = memory_of_tree(server.pid());
    return {{"pss_mb", static_cast<double>(memory.pss_bytes) / bytes_per_megabyte},
            {"private_mb", static_cast<double>(memory.private_bytes) / bytes_per_megabyte}};
  }
};

class ProgramsArm final : public WholeArm {
 public:
  ProgramsArm()
      : WholeArm("memory-per-program", "private memory of many loaded programs over that of one, divided") {}

  std::optional<std::string> unavailable(const Context& context) const override {
    if (std::filesystem::exists(context.programs.guests + "/" + small_guest)) return std::nullopt;
    return fmt::format("there is no {}: run guests/build", small_guest);
  }

  Measurement run(const Context& context) override {
    const Folder folder;
    const double one = private_bytes(context, folder, 1);
    const double many = private_bytes(context, folder, 1 + context.effort.programs);
    return {{"private_kb_per_program", (many - one) / 1024 / context.effort.programs}};
  }

 private:
  // The same guest with a number in a custom section (id 0) at its end: other bytes, so another program.
  static std::string distinct_module(const std::string& module, unsigned number) {
    const std::string name = "number";
    const std::string content = static_cast<char>(name.size()) + name + fmt::format("{:08}", number);
    return module + '\0' + static_cast<char>(content.size()) + content;
  }

  static double private_bytes(const Context& context, const Folder& folder, unsigned programs) {
    std::ifstream file(context.programs.guests + "/" + small_guest, std::ios::binary);
    const std::string module{std::istreambuf_iterator<char>(file), {}};
    std::string routes;
    for (unsigned i = 0; i < programs; ++i) {
      const std::string path = folder.write(fmt::format("program-{}.wasm", i), distinct_module(module, i));
      routes += fmt::format("[[route]]\npath = \"/{}\"\nwasm = \"{}\"\nabi = \"stdio\"\n", i, path);
    }
    const Server server = Server::tollgate(context.programs, folder, context.placement.server, 1, routes);
    if (http_get(server.port(), "/0").status != 200) throw std::runtime_error("no 200");
    std::this_thread::sleep_for(rest);
    return static_cast<double>(memory_of_tree(server.pid()).private_bytes);
  }
};

}  // namespace

void add_memory_arms(Arms& arms) {
  arms.push_back(std::make_unique<RestArm>());
  arms.push_back(std::make_unique<ProgramsArm>());
}

}  // namespace tollgate::bench
