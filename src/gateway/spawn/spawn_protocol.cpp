#include "gateway/spawn/spawn_protocol.hpp"

#include <fmt/format.h>
#include <cstring>

#include "gateway/process/ipc.hpp"

namespace tollgate::gateway {
namespace {

enum class Kind : std::uint32_t { start = 1, end = 2, ended = 3 };

// Fixed-size scalars first, then NUL-terminated strings, which neither argv nor the environment can contain
// inside.
class Writer {
 public:
  template <class T>
  void scalar(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void strings(const std::vector<std::string>& list) {
    scalar(static_cast<std::uint32_t>(list.size()));
    for (const auto& text : list) bytes_.append(text.c_str(), text.size() + 1);
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  template <class T>
  T scalar() {
    T value{};
    if (rest_.size() < sizeof value) {
      ok_ = false;
      return value;
    }
    std::memcpy(&value, rest_.data(), sizeof value);
    rest_.remove_prefix(sizeof value);
    return value;
  }
  std::vector<std::string> strings() {
    std::vector<std::string> list;
    const auto count = scalar<std::uint32_t>();
    for (std::uint32_t i = 0; i < count && ok_; ++i) {
      const auto end = rest_.find('\0');
      if (end == std::string_view::npos) {
        ok_ = false;
        break;
      }
      list.emplace_back(rest_.substr(0, end));
      rest_.remove_prefix(end + 1);
    }
    return list;
  }
  bool complete() const { return ok_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

struct Encoder {
  Writer writer;

  void operator()(const StartProgram& start) {
    writer.scalar(Kind::start);
    writer.scalar(start.id);
    writer.scalar(start.limits.cpu_seconds);
    writer.scalar(start.limits.memory_bytes);
    writer.scalar(start.limits.file_bytes);
    writer.scalar(start.limits.open_files);
    writer.strings(start.argv);
    writer.strings(start.environment);
  }
  void operator()(const EndProgram& end) {
    writer.scalar(Kind::end);
    writer.scalar(end.id);
  }
  void operator()(const ProgramEnded& ended) {
    writer.scalar(Kind::ended);
    writer.scalar(ended.id);
    writer.scalar(ended.start_error);
    writer.scalar(ended.wait_status);
    writer.scalar(static_cast<std::int64_t>(ended.cpu.count()));
    writer.scalar(ended.memory_bytes_peak);
  }
};

}  // namespace

expected<std::string, std::string> encode(const SpawnerMessage& message) {
  Encoder encoder;
  std::visit(encoder, message);
  std::string bytes = encoder.writer.take();
  if (bytes.size() > packet_bytes_max) {
    return unexpected(fmt::format(
        "its arguments and environment take {} bytes, {} are allowed: give it less in the configuration, or "
        "long texts on stdin",
        bytes.size(), packet_bytes_max));
  }
  return bytes;
}

std::optional<SpawnerMessage> decode(std::string_view bytes) {
  Reader reader(bytes);
  std::optional<SpawnerMessage> message;
  switch (reader.scalar<Kind>()) {
    case Kind::start: {
      StartProgram start;
      start.id = reader.scalar<std::uint64_t>();
      start.limits.cpu_seconds = reader.scalar<std::uint64_t>();
      start.limits.memory_bytes = reader.scalar<std::uint64_t>();
      start.limits.file_bytes = reader.scalar<std::uint64_t>();
      start.limits.open_files = reader.scalar<std::uint64_t>();
      start.argv = reader.strings();
      start.environment = reader.strings();
      if (start.argv.empty()) return std::nullopt;
      message = std::move(start);
      break;
    }
    case Kind::end:
      message = EndProgram{reader.scalar<std::uint64_t>()};
      break;
    case Kind::ended: {
      ProgramEnded ended;
      ended.id = reader.scalar<std::uint64_t>();
      ended.start_error = reader.scalar<int>();
      ended.wait_status = reader.scalar<int>();
      ended.cpu = std::chrono::microseconds(reader.scalar<std::int64_t>());
      ended.memory_bytes_peak = reader.scalar<std::uint64_t>();
      message = ended;
      break;
    }
    default:
      return std::nullopt;
  }
  if (!reader.complete()) return std::nullopt;
  return message;
}

}  // namespace tollgate::gateway
