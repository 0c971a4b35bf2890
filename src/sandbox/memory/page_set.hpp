// A set of pages of one memory, as a bitmap. Inserting allocates nothing, so that the fault handler may do
// it.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace tollgate::sandbox {

struct PageRun {
  std::size_t first;
  std::size_t count;
};

class PageSet {
 public:
  explicit PageSet(std::size_t pages = 0) : words_((pages + 63) / 64), pages_(pages) {}

  std::size_t pages() const { return pages_; }  // that it can hold
  std::size_t size() const { return size_; }
  bool contains(std::size_t page) const { return (words_[page / 64] >> (page % 64) & 1) != 0; }

  // `page` is below pages().
  void insert(std::size_t page) noexcept {
    std::uint64_t& word = words_[page / 64];
    const std::uint64_t bit = std::uint64_t{1} << (page % 64);
    size_ += (word & bit) == 0;
    word |= bit;
  }

  void insert(const PageSet& other) {
    size_ = 0;
    for (std::size_t i = 0; i < words_.size(); ++i) {
      words_[i] |= other.words_[i];
      size_ += static_cast<std::size_t>(std::popcount(words_[i]));
    }
  }

  void clear() {
    words_.assign(words_.size(), 0);
    size_ = 0;
  }

  // The maximal runs of adjacent pages, ascending.
  std::vector<PageRun> runs() const {
    std::vector<PageRun> found;
    for (std::size_t i = 0; i < words_.size(); ++i) {
      for (std::uint64_t word = words_[i]; word != 0;) {
        const auto low = static_cast<std::size_t>(std::countr_zero(word));
        const auto count = static_cast<std::size_t>(std::countr_one(word >> low));
        const std::size_t first = i * 64 + low;
        if (!found.empty() && found.back().first + found.back().count == first) {
          found.back().count += count;
        } else {
          found.push_back({first, count});
        }
        if (low + count == 64) break;
        word &= ~std::uint64_t{0} << (low + count);
      }
    }
    return found;
  }

 private:
  std::vector<std::uint64_t> words_;
  std::size_t pages_;
  std::size_t size_ = 0;
};

}  // namespace tollgate::sandbox
