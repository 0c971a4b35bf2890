// Servers under test, each started with a configuration of ours in a folder of ours, on loopback, on given
// cores.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "bench/child_process.hpp"
#include "bench/placement.hpp"

namespace tollgate::bench {

// A folder that goes away with the object. Others may read it: workers run as another user.
class Folder {
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string path(const std::string& name) const { return (path_ / name).string(); }
  // Writes a file and returns its path.
  std::string write(const std::string& name, const std::string& content) const;

 private:
  std::filesystem::path path_;
};

// The programs, found once; start-up fails with a sentence where one is missing.
struct Programs {
  std::string tollgate;
  std::string sandbox_bench;
  std::string nginx;
  std::string guests;      // folder of built example guests
  std::string own_guests;  // folder of the .wat files of this benchmark
};

class Server {
 public:
  // `routes`: [[route]] tables and other keys of tollgate.toml; where it listens and how many workers are set
  // here. `cache` is a folder for compiled programs; it outlives the server, so that a second start finds
  // them.
  static Server tollgate(const Programs& programs, const Folder& folder, const Cores& cores, unsigned workers,
                         const std::string& configuration);
  // `http`: directives of nginx's http block; in it @PORT@ stands for the port to listen on.
  static Server nginx(const Programs& programs, const Folder& folder, const Cores& cores,
                      const std::string& http);

  std::uint16_t port() const { return port_; }
  pid_t pid() const { return process_.pid(); }

 private:
  Server(ChildProcess process, std::uint16_t port) : process_(std::move(process)), port_(port) {}

  ChildProcess process_;
  std::uint16_t port_;
};

// The start of a tollgate.toml for benchmarks; `listen` may end in port 0.
std::string tollgate_configuration(const Folder& folder, const std::string& listen, unsigned workers,
                                   const std::string& rest);

}  // namespace tollgate::bench
