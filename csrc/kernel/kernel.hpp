// The driver calls the kernel through this table, so that a test can replace the kernel.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>

#include "kernel/pagemap.hpp"

namespace movepages {

// Node ids fit in MAX_NUMNODES, which no configuration of Linux sets above 1024 (NODES_SHIFT <=
// 10).
constexpr std::int32_t kMaxNodes = 1024;

// A set of nodes, as the mask of kMaxNodes bits that system calls take.
struct NodeMask {
  static constexpr std::size_t kWordBits = 8 * sizeof(unsigned long);
  unsigned long words[static_cast<std::size_t>(kMaxNodes) / kWordBits] = {};
  bool any() const noexcept {
    return std::any_of(std::begin(words), std::end(words),
                       [](unsigned long word) { return word != 0; });
  }
  bool has(std::int32_t node) const noexcept {
    const auto bit = static_cast<std::size_t>(node);
    return words[bit / kWordBits] >> (bit % kWordBits) & 1;
  }
  void add(std::int32_t node) noexcept {
    const auto bit = static_cast<std::size_t>(node);
    words[bit / kWordBits] |= 1UL << bit % kWordBits;
  }
};

struct Kernel {
  long (*move_pages)(int pid, std::size_t count, const std::uintptr_t* pages,
                     const std::int32_t* nodes, std::int32_t* status, int flags) noexcept;
  bool (*allowed_nodes)(NodeMask& mask) noexcept;  // false: unknown, as in a sandbox
  std::int64_t (*now_ns)() noexcept;
  std::int64_t (*work_ns)() noexcept;  // the time for which this thread has run
  // Whether calls that move must not overlap, and take their entries in any order.
  bool moves_alone = false;
  // Called once before all calls of one move or query. Null: nothing to do.
  void (*begin)() noexcept = nullptr;
  // Whether move_pages(2) reports some resident pages as absent; see hidden.hpp. Null: never.
  bool (*hides_pages)() noexcept = nullptr;
  // See pagemap.hpp. Null: the kernel does not report huge pages.
  HugeUntil* huge_until = nullptr;
  std::size_t page_bytes = 0;
  std::size_t huge_page_bytes = 0;
};

const Kernel& real_kernel() noexcept;

}  // namespace movepages
