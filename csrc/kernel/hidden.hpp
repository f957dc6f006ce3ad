// Pages that have memory and that move_pages(2) calls absent: before Linux 6.6 it does not see a
// page under a NUMA hinting fault or in a mapping without access (PROT_NONE), neither to tell its
// node nor to move it. Automatic NUMA balancing puts many pages under such faults.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "kernel/memory_blocks.hpp"
#include "kernel/pagemap.hpp"

namespace movepages {

// Whether the running kernel is one that does so.
bool kernel_hides_pages() noexcept;

// The status of a page that is in memory and stays hidden: no answer of the kernel, and none that
// it gives to any other page.
constexpr std::int32_t kHidden = -ENODATA;

class HiddenPages {
 public:
  // Pages of process `pid`. Those of another process are touched only if `touches`, which a move
  // may do and a look may not.
  HiddenPages(int pid, bool touches) noexcept : pid_(pid), touches_(touches), pagemap_(pid) {}

  // What is known of a page that move_pages(2) answered with `status`: its node or kHidden if it is
  // only hidden, otherwise `status`. A touch takes the hinting fault, as any access to the page
  // would: after it move_pages(2) sees the page, until the kernel puts it under the next. A page
  // that its process gives back right between the look at it and the touch would be faulted in
  // anew, an empty one.
  std::int32_t reveal(std::uintptr_t page, std::int32_t status) noexcept;

 private:
  bool seems_hidden(std::uintptr_t page, std::int32_t status) noexcept;
  std::int32_t touched(std::uintptr_t page) noexcept;
  std::int32_t node_by_number(std::uint64_t entry) noexcept;

  static constexpr std::size_t kWindow = 64;
  const int pid_;
  const bool touches_;
  Pagemap pagemap_;
  BlocksOnDemand blocks_;
  std::uintptr_t first_ = 0;
  std::size_t filled_ = 0;
  std::uint64_t entries_[kWindow];
};

}  // namespace movepages
