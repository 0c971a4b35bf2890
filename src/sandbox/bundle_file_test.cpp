#include "sandbox/bundle_file.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <numeric>

#include "sandbox/sha256.hpp"

namespace tollgate::sandbox {
namespace {

std::vector<std::uint8_t> pattern(std::size_t bytes) {
  std::vector<std::uint8_t> result(bytes);
  std::iota(result.begin(), result.end(), std::uint8_t{1});
  return result;
}

class BundleFile : public testing::Test {
 protected:
  BundleFile() {
    content_.manifest.module_digest = "abc";
    content_.manifest.engine = "wasmtime-x";
    content_.manifest.name = "hello";
    content_.manifest.entry = "_start";
    content_.manifest.memory_pages_min = 17;
    content_.code = code_;
    content_.image = {{8192, page_}, {16 * wasm_page_bytes, page_}};
  }

  UniqueFd written() {
    UniqueFd file(::memfd_create("bundle", MFD_CLOEXEC));
    const auto result = write_bundle(file.get(), content_);
    EXPECT_TRUE(result) << result.error();
    return file;
  }

  static std::uint64_t size_of(int file) {
    struct stat status{};
    EXPECT_EQ(::fstat(file, &status), 0);
    return static_cast<std::uint64_t>(status.st_size);
  }

  static void flip(int file, std::uint64_t offset) {
    std::uint8_t byte = 0;
    ASSERT_EQ(::pread(file, &byte, 1, static_cast<off_t>(offset)), 1);
    byte ^= 0x10;
    ASSERT_EQ(::pwrite(file, &byte, 1, static_cast<off_t>(offset)), 1);
  }

  const std::vector<std::uint8_t> code_ = pattern(10'000);
  const std::vector<std::uint8_t> page_ = pattern(image_page_bytes);
  BundleContent content_;
};

TEST_F(BundleFile, what_was_written_is_read_back) {
  const auto fds = open_bundle(written());
  ASSERT_TRUE(fds) << fds.error();
  EXPECT_EQ(fds->manifest.name, "hello");
  EXPECT_EQ(fds->manifest.entry, "_start");
  EXPECT_EQ(fds->manifest.code_bytes, code_.size());
  EXPECT_EQ(fds->manifest.image_bytes, 17 * wasm_page_bytes);
  std::vector<std::uint8_t> code(code_.size());
  EXPECT_EQ(::pread(fds->code.get(), code.data(), code.size(), 0), static_cast<ssize_t>(code.size()));
  EXPECT_EQ(code, code_);
  std::vector<std::uint8_t> page(image_page_bytes);
  const auto at = static_cast<off_t>(fds->manifest.image_offset + 8192);
  EXPECT_EQ(::pread(fds->image.get(), page.data(), page.size(), at), static_cast<ssize_t>(page.size()));
  EXPECT_EQ(page, page_);
}

TEST_F(BundleFile, without_an_image_there_is_no_image_descriptor) {
  content_.image.clear();
  const auto fds = open_bundle(written());
  ASSERT_TRUE(fds) << fds.error();
  EXPECT_EQ(fds->manifest.image_bytes, 0u);
  EXPECT_FALSE(fds->image);
}

TEST_F(BundleFile, a_large_memory_takes_little_room) {
  content_.manifest.memory_pages_min = 16'384;  // 1 GiB
  const UniqueFd file = written();
  struct stat status{};
  ASSERT_EQ(::fstat(file.get(), &status), 0);
  EXPECT_GT(status.st_size, 1 << 30);
  EXPECT_LT(status.st_blocks * 512, 1 << 20);
}

TEST_F(BundleFile, a_copy_without_holes_is_the_same_bundle) {
  const UniqueFd sparse = written();
  std::vector<std::uint8_t> all(size_of(sparse.get()));
  ASSERT_EQ(::pread(sparse.get(), all.data(), all.size(), 0), static_cast<ssize_t>(all.size()));
  UniqueFd dense(::memfd_create("dense", MFD_CLOEXEC));
  ASSERT_EQ(::pwrite(dense.get(), all.data(), all.size(), 0), static_cast<ssize_t>(all.size()));
  const auto fds = open_bundle(std::move(dense));
  EXPECT_TRUE(fds) << fds.error();
}

TEST_F(BundleFile, a_flipped_bit_anywhere_is_found) {
  const std::uint64_t image = 12'288;  // behind 10,000 bytes of code
  const std::uint64_t manifest = image + 17 * wasm_page_bytes;
  const std::uint64_t end = size_of(written().get());
  for (const std::uint64_t at :
       {std::uint64_t{0}, std::uint64_t{9'999}, image, image + 8192, image + 12'287, image + 65'536,
        manifest - 1, manifest, manifest + 20, end - 56, end - 40, end - 30, end - 1}) {
    UniqueFd file = written();
    flip(file.get(), at);
    EXPECT_FALSE(open_bundle(std::move(file))) << "flipped at " << at;
  }
}

TEST_F(BundleFile, a_truncated_or_foreign_file_is_refused) {
  for (const std::uint64_t size : {0, 1, 55, 56, 4096, 12'288, 100'000}) {
    UniqueFd file = written();
    ASSERT_EQ(::ftruncate(file.get(), static_cast<off_t>(size)), 0);
    const auto fds = open_bundle(std::move(file));
    ASSERT_FALSE(fds) << size;
    EXPECT_NE(fds.error().find("truncated"), std::string::npos) << fds.error();
  }
  UniqueFd folder(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  EXPECT_FALSE(open_bundle(std::move(folder)));
}

TEST_F(BundleFile, another_format_is_refused_by_name) {
  content_.manifest.format = manifest_format + 1;
  const auto fds = open_bundle(written());
  ASSERT_FALSE(fds);
  EXPECT_NE(fds.error().find("another version of tollgate"), std::string::npos) << fds.error();
}

TEST(Sha256Test, agrees_with_the_standard_and_does_not_care_how_the_bytes_are_cut) {
  const std::string_view text = "abc";
  const std::span bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  const std::string known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  EXPECT_EQ(sha256_hex(bytes), known);
  Sha256 hash;
  for (std::size_t i = 0; i < bytes.size(); ++i) hash.update(bytes.subspan(i, 1));
  EXPECT_EQ(to_hex(hash.finish()), known);
  EXPECT_EQ(sha256_hex({}), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

}  // namespace
}  // namespace tollgate::sandbox
