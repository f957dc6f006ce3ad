// The statuses of this process's own pages without move_pages(2): the page tables show which pages
// are there, and get_mempolicy(2) the node of each of those. It would fault in the others.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernel/hidden.hpp"
#include "kernel/mappings.hpp"
#include "kernel/pagemap.hpp"

namespace movepages {

class OwnPages {
 public:
  enum Nodes { kByPolicy, kUnknown };

  // With kUnknown, pages in memory get the status kHidden.
  explicit OwnPages(Nodes nodes) noexcept : nodes_(nodes) {}

  // Writes the statuses that a query with move_pages(2) returns. A page whose node cannot be told
  // gets kHidden: this process may not read it, or it may be the zero page (before Linux 6.7,
  // without CAP_SYS_ADMIN). Returns 0, or the -errno of a call that is refused.
  long ask(const std::uintptr_t* pages, std::size_t count, std::int32_t* status) noexcept;

  // Whether a page belongs to a mapping of a device or of the kernel.
  bool is_of_device(std::uintptr_t page) noexcept;
  // Whether a page in memory belongs to this mapping alone.
  bool is_exclusive(std::uintptr_t page) noexcept;
  // Forgets what was read before.
  void forget() noexcept;

 private:
  enum class Zero { kNo, kYes, kMaybe };

  long entry_of(std::uintptr_t page, bool more_follow, std::uint64_t* entry) noexcept;
  long status_of(std::uintptr_t page, std::uint64_t entry, std::int32_t* status) noexcept;
  std::int32_t status_of_absent(std::uintptr_t page) noexcept;
  Zero zero_page(std::uintptr_t page, std::uint64_t entry) noexcept;
  bool scan_for_zero_page(std::uintptr_t page, Zero* found) noexcept;

  static constexpr std::size_t kWindow = 512;
  const Nodes nodes_;
  Pagemap pagemap_{0};
  Mappings mappings_;
  FrameFlags frame_flags_;
  bool scans_ = true;
  std::uintptr_t other_from_ = 0;  // no zero page between these
  std::uintptr_t other_until_ = 0;
  std::uintptr_t zero_from_ = 0;  // zero pages between these
  std::uintptr_t zero_until_ = 0;
  std::uintptr_t first_ = 0;  // index of the page of the first entry
  std::size_t filled_ = 0;
  std::uint64_t entries_[kWindow];
};

}  // namespace movepages
