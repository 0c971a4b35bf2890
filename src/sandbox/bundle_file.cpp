#include "sandbox/bundle_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "sandbox/manifest_json.hpp"
#include "sandbox/sha256.hpp"

namespace tollgate::sandbox {
namespace {

constexpr std::size_t read_block_bytes = 64u << 10;  // a multiple of image_page_bytes
constexpr std::uint64_t manifest_bytes_max = 16u << 10;

struct Trailer {
  std::array<char, 8> magic{'T', 'O', 'L', 'L', 'G', 'A', 'T', 'E'};
  std::uint64_t manifest_offset = 0;
  std::uint64_t manifest_bytes = 0;
  Sha256::Digest digest{};
};
static_assert(sizeof(Trailer) == 56);

using Bytes = std::span<const std::uint8_t>;

Bytes bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

template <class T>
Bytes bytes_of_object(const T& object) {
  return {reinterpret_cast<const std::uint8_t*>(&object), sizeof object};
}

std::uint64_t round_up(std::uint64_t value) {
  return (value + image_page_bytes - 1) / image_page_bytes * image_page_bytes;
}

std::string system_error(const char* what) {
  return std::string(what) + ": " + std::strerror(errno);
}

expected<void, std::string> write_at(int file, std::uint64_t offset, Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return unexpected(system_error("cannot write compiled code"));
    offset += static_cast<std::uint64_t>(written);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

expected<void, std::string> read_at(int file, std::uint64_t offset, std::span<std::uint8_t> out) {
  while (!out.empty()) {
    const ssize_t count = ::pread(file, out.data(), out.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return unexpected(system_error("cannot be read"));
    if (count == 0) return unexpected(std::string("is truncated"));
    offset += static_cast<std::uint64_t>(count);
    out = out.subspan(static_cast<std::size_t>(count));
  }
  return {};
}

// What is digested of an image is its pages with content, each behind its number: so holes need not be read,
// and a copy that lost its holes is the same image.
void digest_pages(Sha256& hash, std::uint64_t first_page, Bytes bytes) {
  for (std::uint64_t page = first_page; !bytes.empty(); ++page) {
    const Bytes content = bytes.first(image_page_bytes);
    bytes = bytes.subspan(image_page_bytes);
    if (std::all_of(content.begin(), content.end(), [](std::uint8_t byte) { return byte == 0; })) continue;
    hash.update(bytes_of_object(page));
    hash.update(content);
  }
}

expected<void, std::string> digest_code(Sha256& hash, int file, std::uint64_t code_bytes) {
  std::vector<std::uint8_t> block(read_block_bytes);
  for (std::uint64_t at = 0; at < code_bytes;) {
    const auto piece = std::span(block).first(std::min<std::uint64_t>(block.size(), code_bytes - at));
    if (auto read = read_at(file, at, piece); !read) return read;
    hash.update(piece);
    at += piece.size();
  }
  return {};
}

expected<void, std::string> digest_image(Sha256& hash, int file, const Manifest& manifest) {
  std::vector<std::uint8_t> block(read_block_bytes);
  const std::uint64_t end = manifest.image_offset + manifest.image_bytes;
  std::uint64_t at = manifest.image_offset;
  while (at < end) {
    // A file system without holes answers with `at` itself; an error reads on, page by page.
    const off_t data = ::lseek(file, static_cast<off_t>(at), SEEK_DATA);
    if (data > static_cast<off_t>(at))
      at = static_cast<std::uint64_t>(data) / image_page_bytes * image_page_bytes;
    if (at >= end) break;
    const auto piece = std::span(block).first(std::min<std::uint64_t>(block.size(), end - at));
    if (auto read = read_at(file, at, piece); !read) return read;
    digest_pages(hash, (at - manifest.image_offset) / image_page_bytes, piece);
    at += piece.size();
  }
  return {};
}

expected<Manifest, std::string> parse_manifest(std::string_view text) {
  Manifest manifest;
  try {
    manifest = nlohmann::json::parse(text).get<Manifest>();
  } catch (const nlohmann::json::exception&) {
    return unexpected(std::string("has a damaged manifest"));
  }
  if (manifest.format != manifest_format)
    return unexpected(std::string("was written by another version of tollgate"));
  return manifest;
}

bool sizes_agree(const Manifest& manifest, const Trailer& trailer) {
  const auto limit = trailer.manifest_offset;
  if (manifest.code_bytes == 0 || manifest.code_bytes > limit) return false;
  if (manifest.memory_pages_min > 65536 || manifest.memory_pages_max > 65536) return false;
  if (manifest.image_bytes == 0) return true;
  return manifest.image_bytes == manifest.memory_pages_min * wasm_page_bytes &&
         manifest.image_offset <= limit && manifest.image_offset >= manifest.code_bytes &&
         manifest.image_offset % image_page_bytes == 0 &&
         manifest.image_bytes <= limit - manifest.image_offset;
}

expected<Trailer, std::string> read_trailer(int file) {
  struct stat status{};
  if (::fstat(file, &status) != 0) return unexpected(system_error("cannot be read"));
  if (!S_ISREG(status.st_mode)) return unexpected(std::string("is not a file"));
  const auto size = static_cast<std::uint64_t>(status.st_size);
  Trailer trailer;
  const Trailer expected_trailer;
  if (size < sizeof trailer)
    return unexpected(std::string("is no compiled program of tollgate, or truncated"));
  std::array<std::uint8_t, sizeof trailer> raw;
  if (auto read = read_at(file, size - raw.size(), raw); !read) return unexpected(read.error());
  std::memcpy(&trailer, raw.data(), raw.size());
  const std::uint64_t before = size - sizeof trailer;
  if (trailer.magic != expected_trailer.magic || trailer.manifest_bytes > manifest_bytes_max ||
      trailer.manifest_bytes > before || trailer.manifest_offset != before - trailer.manifest_bytes) {
    return unexpected(std::string("is no compiled program of tollgate, or truncated"));
  }
  return trailer;
}

}  // namespace

expected<void, std::string> write_bundle(int file, const BundleContent& content) {
  Manifest manifest = content.manifest;
  manifest.code_bytes = content.code.size();
  manifest.image_bytes = content.image.empty() ? 0 : manifest.memory_pages_min * wasm_page_bytes;
  manifest.image_offset = content.image.empty() ? 0 : round_up(content.code.size());

  Sha256 hash;
  hash.update(content.code);
  if (auto written = write_at(file, 0, content.code); !written) return written;
  for (const ImageRun& run : content.image) {
    digest_pages(hash, run.offset / image_page_bytes, run.bytes);
    if (auto written = write_at(file, manifest.image_offset + run.offset, run.bytes); !written)
      return written;
  }
  // A name need not be UTF-8.
  using Json = nlohmann::json;
  const std::string text = Json(manifest).dump(-1, ' ', false, Json::error_handler_t::replace);
  hash.update(bytes_of(text));

  Trailer trailer;
  trailer.manifest_offset =
      manifest.image_bytes > 0 ? manifest.image_offset + manifest.image_bytes : round_up(manifest.code_bytes);
  trailer.manifest_bytes = text.size();
  trailer.digest = hash.finish();
  if (auto written = write_at(file, trailer.manifest_offset, bytes_of(text)); !written) return written;
  return write_at(file, trailer.manifest_offset + text.size(), bytes_of_object(trailer));
}

expected<BundleFds, std::string> open_bundle(UniqueFd file) {
  const auto trailer = read_trailer(file.get());
  if (!trailer) return unexpected(trailer.error());
  std::string text(trailer->manifest_bytes, '\0');
  const std::span<std::uint8_t> room(reinterpret_cast<std::uint8_t*>(text.data()), text.size());
  if (auto read = read_at(file.get(), trailer->manifest_offset, room); !read) return unexpected(read.error());
  auto manifest = parse_manifest(text);
  if (!manifest) return unexpected(manifest.error());
  if (!sizes_agree(*manifest, *trailer)) return unexpected(std::string("has a damaged manifest"));

  Sha256 hash;
  if (auto done = digest_code(hash, file.get(), manifest->code_bytes); !done) return unexpected(done.error());
  if (auto done = digest_image(hash, file.get(), *manifest); !done) return unexpected(done.error());
  hash.update(bytes_of(text));
  if (hash.finish() != trailer->digest)
    return unexpected(std::string("is damaged: its digest does not match"));

  BundleFds fds{std::move(*manifest), std::move(file), UniqueFd()};
  if (fds.manifest.image_bytes > 0) {
    fds.image.reset(::fcntl(fds.code.get(), F_DUPFD_CLOEXEC, 3));
    if (!fds.image) return unexpected(system_error("cannot be opened twice"));
  }
  return fds;
}

}  // namespace tollgate::sandbox
