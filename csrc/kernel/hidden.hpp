// Pages in memory that move_pages(2) reports as absent. Before Linux 6.6 it neither reports nor
// moves a page under a NUMA hinting fault or in a mapping without access (PROT_NONE). Automatic
// NUMA balancing puts many pages under such faults.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "kernel/memory_blocks.hpp"
#include "kernel/pagemap.hpp"

namespace movepages {

bool kernel_is_before(int major, int minor) noexcept;

// Whether the running kernel is older than Linux 6.6.
bool kernel_hides_pages() noexcept;

// The status of a page that is in memory on an unknown node. The kernel itself never returns this
// status.
constexpr std::int32_t kHidden = -ENODATA;

// Reads /proc/kpageflags, which describes page frames by number. Only root can read it.
class FrameFlags {
 public:
  FrameFlags() = default;
  ~FrameFlags() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  FrameFlags(const FrameFlags&) = delete;
  FrameFlags& operator=(const FrameFlags&) = delete;

  // Whether this process can read the file.
  bool tells() noexcept;
  // Whether a frame is the zero page, or part of the huge one; false if that cannot be told.
  bool is_zero_page(std::uint64_t frame_number) noexcept;

 private:
  static constexpr int kNotOpened = -2;
  int descriptor_ = kNotOpened;
};

class HiddenPages {
 public:
  // Handles pages of process `pid`. It accesses pages of another process only if `touches` is set:
  // a move may do that, a query may not.
  HiddenPages(int pid, bool touches) noexcept : pid_(pid), touches_(touches), pagemap_(pid) {}

  // Returns the true status of a page for which move_pages(2) returned `status`: its node, kHidden
  // if the page is hidden, -EFAULT if it is the zero page, otherwise `status`. Only root can tell
  // the zero page; its status is then the one from Linux 6.6 on. Accessing a page takes its hinting
  // fault, and move_pages(2) sees the page until the kernel sets the next one. If the process frees
  // the page between the check and the access, the access faults in an empty page.
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
  FrameFlags frame_flags_;
  std::uintptr_t first_ = 0;
  std::size_t filled_ = 0;
  std::uint64_t entries_[kWindow];
};

}  // namespace movepages
