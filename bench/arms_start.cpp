// From exec to the first 200: what a cold start costs whoever waits for it.
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <filesystem>
#include <stdexcept>
#include <thread>

#include "bench/arm.hpp"
#include "bench/http_client.hpp"
#include "bench/statistics.hpp"

extern char** environ;

namespace tollgate::bench {
namespace {

// A process starts in milliseconds. A container takes a tenth of a second of all cores, which asking more
// often would take from it: the wait for --version, beside which it is measured, takes nothing.
constexpr std::chrono::microseconds process_poll_interval{50};
constexpr std::chrono::microseconds container_poll_interval{500};
constexpr std::chrono::seconds first_answer_max{20};

// Time from `began` to the first whole 200; negative when none came.
double wait_for_200(std::uint16_t port, Clock::time_point began, std::chrono::microseconds poll_interval) {
  while (Clock::now() - began < first_answer_max) {
    if (UniqueFd socket = HttpClient::try_connect(port)) {
      HttpClient client(std::move(socket));
      client.send_get("/");
      const Answer answer = client.read_answer(first_answer_max);
      const double time_ms = std::chrono::duration<double, std::milli>(Clock::now() - began).count();
      if (answer.status == 200) return time_ms;
    }
    std::this_thread::sleep_for(poll_interval);
  }
  return -1;
}

// One start a slice.
class StartArm final : public SlicedArm {
 public:
  // `guest`: file of the guests' folder that the route runs, "" for a native route.
  StartArm(std::string name, std::string about, std::string guest)
      : SlicedArm(std::move(name), std::move(about)), guest_(std::move(guest)) {}

  std::optional<std::string> unavailable(const Context& context) const override {
    if (guest_.empty() || std::filesystem::exists(context.programs.guests + "/" + guest_))
      return std::nullopt;
    return fmt::format("there is no {}: run guests/build", guest_);
  }

  std::unique_ptr<Slices> begin(const Context& context) override {
    auto starts = std::make_unique<Starts>(context, guest_);
    starts->fill_caches();
    return starts;
  }

 private:
  class Starts final : public Slices {
   public:
    Starts(const Context& context, std::string guest) : context_(context), guest_(std::move(guest)) {}

    // Pages of the program, compiled guests.
    void fill_caches() { first_answer_ms(); }
    void take() override { times_ms_.push_back(first_answer_ms()); }
    Measurement result() override {
      return {{"first_200_ms", median(times_ms_)}, {"first_200_p90_ms", quantile(times_ms_, 0.9)}};
    }

   private:
    double first_answer_ms() const {
      const std::uint16_t port = free_port();
      const std::string route = guest_.empty() ? std::string("native = \"hello\"\n")
                                               : fmt::format("wasm = \"{}/{}\"\nabi = \"stdio\"\n",
                                                             context_.programs.guests, guest_);
      std::string file = folder_.write(
          "start.toml", tollgate_configuration(folder_, fmt::format("127.0.0.1:{}", port), 1,
                                               fmt::format("[[route]]\npath = \"/\"\n{}", route)));
      std::string program = context_.programs.tollgate;
      std::string serve = "serve";
      std::string config = "--config";
      char* const arguments[] = {program.data(), serve.data(), config.data(), file.data(), nullptr};
      posix_spawn_file_actions_t files;
      ::posix_spawn_file_actions_init(&files);
      ::posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
      ::posix_spawn_file_actions_addopen(&files, 2, folder_.path("start.err").c_str(), O_WRONLY | O_CREAT,
                                         0644);
      pin_to(context_.placement.server);  // what is spawned inherits it
      const auto began = Clock::now();
      pid_t pid = -1;
      const int failed =
          ::posix_spawn(&pid, program.c_str(), &files, nullptr, arguments, environ);  // vfork and exec
      pin_to(context_.placement.client);
      ::posix_spawn_file_actions_destroy(&files);
      if (failed != 0) throw std::runtime_error("cannot start " + program);
      const double time_ms = wait_for_200(port, began, process_poll_interval);
      ::kill(pid, SIGTERM);
      ::waitpid(pid, nullptr, 0);
      if (time_ms < 0) throw std::runtime_error("no first answer in time");
      return time_ms;
    }

    const Context& context_;
    std::string guest_;
    Folder folder_;
    std::vector<double> times_ms_;
  };

  std::string guest_;
};

constexpr char image_tag[] = "tollgate-bench";

int exit_code(const Placement& placement, const std::vector<std::string>& command, const Folder& folder) {
  ChildProcess process(command, placement.client, folder.path("command.err"));
  process.read_all(first_answer_max);
  return process.wait();
}

// Builds the image from the measured program, and into the Docker engine where one answers.
void build_image(const Context& context, const Folder& folder) {
  const std::string build = TOLLGATE_SOURCE_DIR "/deploy/image/build";
  if (exit_code(context.placement,
                {"/usr/bin/env", "TOLLGATE=" + context.programs.tollgate,
                 "IMAGE_FOLDER=" + folder.path("image"), build, image_tag},
                folder) != 0) {
    throw std::runtime_error("deploy/image/build failed");
  }
}

class ImageSizeArm final : public WholeArm {
 public:
  ImageSizeArm() : WholeArm("image-size", "the gateway's container image, uncompressed") {}
  Measurement run(const Context& context) override {
    const Folder folder;
    build_image(context, folder);
    return {{"image_mb",
             static_cast<double>(std::filesystem::file_size(folder.path("image/tollgate.tar"))) / 1e6}};
  }
};

// From `docker run` to the first 200, and to the first line of the same image's `--version`, which is what
// the engine alone takes. Ends and removals lie outside the window; both take turns.
class ContainerStartArm final : public WholeArm {
 public:
  ContainerStartArm()
      : WholeArm("start-container", "docker run to the first 200, beside docker run of --version") {}

  std::optional<std::string> unavailable(const Context& context) const override {
    const Folder folder;
    const std::string docker = find_program("docker");
    if (!docker.empty() && exit_code(context.placement, {docker, "info"}, folder) == 0) return std::nullopt;
    return "no Docker engine answers: tools/with-docker starts one for a command";
  }

  Measurement run(const Context& context) override {
    const Folder folder;
    build_image(context, folder);
    const std::string docker = find_program("docker");
    first_200_ms(context, folder, docker);  // the engine's caches
    std::vector<double> bare;
    std::vector<double> served;
    for (unsigned i = 0; i < context.effort.container_starts; ++i) {
      bare.push_back(version_ms(context, folder, docker));
      served.push_back(first_200_ms(context, folder, docker));
    }
    return {{"first_200_ms", median(served)},
            {"bare_run_ms", median(bare)},
            {"first_200_over_bare_run", median(served) / median(bare)}};
  }

 private:
  static double version_ms(const Context& context, const Folder& folder, const std::string& docker) {
    const auto began = Clock::now();
    ChildProcess process({docker, "run", "--rm", "--network", "host", image_tag, "--version"},
                         context.placement.server, folder.path("docker.err"));
    process.read_line(first_answer_max);
    const double time_ms = std::chrono::duration<double, std::milli>(Clock::now() - began).count();
    process.wait();
    return time_ms;
  }

  static double first_200_ms(const Context& context, const Folder& folder, const std::string& docker) {
    const std::uint16_t port = free_port();
    const auto began = Clock::now();
    ChildProcess process(
        {docker, "run", "--rm", "--network", "host", "--env", fmt::format("LISTEN=127.0.0.1:{}", port),
         image_tag, "serve", "--workers", "1", "--config", "/etc/tollgate/native_local.toml"},
        context.placement.server, folder.path("docker.err"));
    const double time_ms = wait_for_200(port, began, container_poll_interval);
    ::kill(process.pid(), SIGTERM);  // the client hands it on to the container
    process.wait();
    if (time_ms < 0) throw std::runtime_error("no first answer in time: " + process.errors());
    return time_ms;
  }
};

}  // namespace

void add_start_arms(Arms& arms) {
  arms.push_back(std::make_unique<StartArm>("start-native", "exec to the first 200, a native route", ""));
  arms.push_back(std::make_unique<StartArm>(
      "start-guest", "exec to the first 200, the C guest, compiled before", "gateway_wasm_c.wasm"));
  arms.push_back(std::make_unique<ContainerStartArm>());
  arms.push_back(std::make_unique<ImageSizeArm>());
}

}  // namespace tollgate::bench
