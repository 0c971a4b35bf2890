// stdio: takes a JSON object and adds `"tollgate": true` and `"count"`, the number of members it had, at its
// end.
#include <unistd.h>

#define JSON_HAS_FILESYSTEM 0  // wasm32's C++ library has none
#define JSON_HAS_EXPERIMENTAL_FILESYSTEM 0
#define JSON_NOEXCEPTION
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace {

std::string read_all() {
  constexpr std::size_t step_bytes = 64 * 1024;
  std::string all;
  for (;;) {
    const std::size_t held = all.size();
    all.resize(held + step_bytes);
    const ssize_t got = read(STDIN_FILENO, all.data() + held, step_bytes);
    all.resize(held + static_cast<std::size_t>(got > 0 ? got : 0));
    if (got <= 0) return all;
  }
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

int main() {
  using Json = nlohmann::ordered_json;
  constexpr bool throws = false;
  Json document = Json::parse(read_all(), nullptr, throws);
  if (!document.is_object()) {
    write_all(STDERR_FILENO, "the request body is not a JSON object\n");
    return 1;
  }
  const std::size_t count = document.size();
  document.erase("tollgate");
  document.erase("count");
  document["tollgate"] = true;
  document["count"] = count;
  return write_all(STDOUT_FILENO, document.dump()) ? 0 : 1;
}
