#include "sandbox/memory/slot_model.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "sandbox/memory/fault_handler.hpp"
#include "sandbox/memory/slot_pool.hpp"

namespace tollgate::sandbox {

namespace {
constexpr std::size_t pages = 24;
constexpr std::size_t initial_bytes = pages * page_bytes;
constexpr std::size_t grown_pages_max = 80;  // past grown_bytes_kept_max
constexpr std::size_t live_max = 3;
constexpr std::uint32_t mappings_max = 60;  // small, so that scripts reach the bound

struct Live {
  Slot* slot;
  std::vector<std::uint8_t> expected;
};

struct Side {
  std::unique_ptr<SlotPool> pool;
  std::vector<std::uint8_t> initial;
  std::vector<Live> live;
};

MemoryImage make_image(const std::vector<std::uint8_t>& content) {
  UniqueFd file(::memfd_create("image", MFD_CLOEXEC));
  if (::write(file.get(), content.data(), content.size()) != static_cast<ssize_t>(content.size())) return {};
  auto image = MemoryImage::map(std::move(file), 0, content.size());
  return image ? std::move(*image) : MemoryImage();
}

class Script {
 public:
  explicit Script(MappingBudget& budget) {
    sides_[0].initial.assign(initial_bytes, 0);
    sides_[0].pool = std::make_unique<SlotPool>(MemoryImage(), initial_bytes, budget);
    for (std::size_t i = 0; i < initial_bytes; ++i)
      sides_[1].initial.push_back(static_cast<std::uint8_t>(i * 7 + 1));
    sides_[1].pool = std::make_unique<SlotPool>(make_image(sides_[1].initial), initial_bytes, budget);
  }
  ~Script() {
    for (Side& side : sides_) {
      for (const Live& live : side.live) side.pool->release(live.slot);
    }
  }

  const char* step(std::uint8_t what, std::uint8_t where, std::uint8_t value) {
    Side& side = sides_[what >> 7];
    const std::size_t which = (what >> 4) & 3;
    switch (what & 15) {
      case 0:
        return start(side);
      case 1:
        return drop(side, which);
      case 2:
        return grow(side, which, value);
      case 3:
        side.pool->trim();
        return nullptr;
      case 4:
        return many_requests(side, where);
      default:
        return write(side, which, where, value);
    }
  }

 private:
  const char* start(Side& side) {
    if (side.live.size() >= live_max) return nullptr;
    const auto slot = side.pool->acquire();
    if (!slot) return slot.error() == SlotError::mappings ? nullptr : "the kernel refused a slot";
    side.live.push_back({*slot, side.initial});
    return check(side.live.back());
  }

  const char* drop(Side& side, std::size_t which) {
    if (side.live.empty()) return nullptr;
    const auto victim = side.live.begin() + static_cast<std::ptrdiff_t>(which % side.live.size());
    const char* const wrong = check(*victim);
    side.pool->release(victim->slot);
    side.live.erase(victim);
    return wrong;
  }

  static const char* grow(Side& side, std::size_t which, std::uint8_t value) {
    if (side.live.empty()) return nullptr;
    Live& live = side.live[which % side.live.size()];
    const std::size_t bytes = live.expected.size() + value % 40 * page_bytes;
    if (bytes > initial_bytes + grown_pages_max * page_bytes) return nullptr;
    if (!live.slot->grow(bytes)) return "growth was refused";
    live.expected.resize(bytes, 0);
    return check(live);
  }

  static const char* write(Side& side, std::size_t which, std::uint8_t where, std::uint8_t value) {
    if (side.live.empty()) return nullptr;
    Live& live = side.live[which % side.live.size()];
    const std::size_t at = where % (live.expected.size() / page_bytes) * page_bytes + std::size_t{value} * 16;
    const RunningSlot running(live.slot);
    std::memcpy(live.slot->base() + at, &value, 1);
    live.expected[at] = value;
    return nullptr;
  }

  // Enough requests on one slot for its set to decay, all but the first of which write one page.
  const char* many_requests(Side& side, std::uint8_t where) {
    for (std::uint32_t i = 0; i < decay_period + 1; ++i) {
      const auto slot = side.pool->acquire();
      if (!slot) return nullptr;
      const char* const wrong = i % 64 == 0 ? check({*slot, side.initial}) : nullptr;
      {
        const RunningSlot running(*slot);
        (*slot)->base()[where % pages * page_bytes] = 0x5a;
      }
      side.pool->release(*slot);
      if (wrong != nullptr) return wrong;
    }
    return nullptr;
  }

  static const char* check(const Live& live) {
    if (live.slot->bytes() != live.expected.size()) return "the size differs from the model's";
    return std::memcmp(live.slot->base(), live.expected.data(), live.expected.size()) == 0
               ? nullptr
               : "a memory's content differs from the model's";
  }

  std::array<Side, 2> sides_;
};
}  // namespace

const char* play_slot_script(std::span<const std::uint8_t> script) {
  if (!install_fault_handler()) return "no fault handler";
  MappingBudget budget(mappings_max);
  const char* wrong = nullptr;
  {
    Script player(budget);
    for (std::size_t i = 0; i + 2 < script.size() && wrong == nullptr; i += 3) {
      wrong = player.step(script[i], script[i + 1], script[i + 2]);
      if (budget.used() > mappings_max) wrong = "more mappings than the budget has";
    }
  }
  if (wrong == nullptr && budget.used() != 0) wrong = "mappings were not given back";
  return wrong;
}

}  // namespace tollgate::sandbox
