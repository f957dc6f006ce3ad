// Pages that have memory and that move_pages(2) calls absent: before Linux 6.6 it does not see a
// page under a NUMA hinting fault, neither to tell its node nor to move it. Automatic NUMA
// balancing puts many pages under such faults.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pagemap.hpp"

namespace movepages {

// Whether the running kernel is one that does so.
bool kernel_hides_pages() noexcept;

class HiddenPages {
 public:
  // The node of a page of this process that move_pages(2) answered with `status`, if it is only
  // hidden; otherwise `status`. Takes the hinting fault, as any access to the page would: after it
  // move_pages(2) sees the page, until the kernel puts it under the next. A page that another
  // thread gives back right between the look at it and the question would be faulted in anew, an
  // empty one.
  std::int32_t reveal(std::uintptr_t page, std::int32_t status) noexcept;

 private:
  bool seems_hidden(std::uintptr_t page, std::int32_t status) noexcept;

  static constexpr std::size_t kWindow = 64;
  Pagemap pagemap_{0};
  std::uintptr_t first_ = 0;
  std::size_t filled_ = 0;
  std::uint64_t entries_[kWindow];
};

}  // namespace movepages
