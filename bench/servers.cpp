#include "bench/servers.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "bench/http_client.hpp"

namespace tollgate::bench {
namespace {

// A first start may have to compile a thousand programs.
constexpr std::chrono::minutes start_time_max{5};
constexpr std::chrono::seconds nginx_start_time_max{5};

// What nginx needs to run from a folder of its own; the rest is its default. Keep-alive without end: by
// default it closes a connection after 1,000 requests.
constexpr char nginx_frame[] = R"(worker_processes 1;
{user}daemon off;
pid {folder}/{name}.pid;
error_log stderr warn;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  default_type text/plain;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
{http}
}}
)";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

}  // namespace

Folder::Folder() {
  std::string name = (std::filesystem::temp_directory_path() / "tollgate-bench-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make a temporary folder");
  ::chmod(name.c_str(), 0755);
  path_ = name;
}

Folder::~Folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string Folder::write(const std::string& name, const std::string& content) const {
  std::ofstream(path(name), std::ios::binary) << content;
  return path(name);
}

std::string tollgate_configuration(const Folder& folder, const std::string& listen, unsigned workers,
                                   const std::string& rest) {
  return fmt::format("listen = \"{}\"\nworkers = {}\ncache = \"{}\"\n{}", listen, workers,
                     folder.path("cache"), rest);
}

Server Server::tollgate(const Programs& programs, const Folder& folder, const Cores& cores, unsigned workers,
                        const std::string& configuration) {
  const std::string file =
      folder.write("tollgate.toml", tollgate_configuration(folder, "127.0.0.1:0", workers, configuration));
  ChildProcess process({programs.tollgate, "serve", "--config", file}, cores, folder.path("tollgate.err"));
  const std::string line = process.read_line(start_time_max);
  const std::size_t colon = line.rfind(':');
  const int port = colon == std::string::npos ? 0 : std::atoi(line.c_str() + colon + 1);
  if (port <= 0 || port > 65535) throw std::runtime_error("tollgate did not say where it listens: " + line);
  return Server(std::move(process), static_cast<std::uint16_t>(port));
}

Server Server::nginx(const Programs& programs, const Folder& folder, const Cores& cores,
                     const std::string& http) {
  const std::uint16_t port = free_port();
  const std::string name = fmt::format("nginx-{}", port);
  const std::string user = ::getuid() == 0 ? "user nobody nogroup;\n" : "";
  const std::string file = folder.write(
      name + ".conf",
      fmt::format(nginx_frame, fmt::arg("user", user), fmt::arg("folder", folder.path("")),
                  fmt::arg("name", name), fmt::arg("http", replaced(http, "@PORT@", std::to_string(port)))));
  ChildProcess process({programs.nginx, "-p", folder.path(""), "-e", "stderr", "-c", file}, cores,
                       folder.path(name + ".err"));
  const auto until = Clock::now() + nginx_start_time_max;
  while (!HttpClient::try_connect(port)) {
    if (Clock::now() > until) throw std::runtime_error("nginx does not start: " + process.errors());
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return Server(std::move(process), port);
}

}  // namespace tollgate::bench
