#include "kernel/own_pages.hpp"

#include <algorithm>
#include <cerrno>

#include "kernel/policy.hpp"
#include "kernel/syscalls.hpp"

namespace movepages {
namespace {

// Before Linux 6.12, do_pages_stat_array() asks with FOLL_DUMP, which refuses holes of anonymous
// memory.
bool holes_are_faults() noexcept {
  static const bool older = kernel_is_before(6, 12);
  return older;
}

// Before Linux 6.15, PAGEMAP_SCAN may take the huge zero page for memory.
bool scans_miss_huge_zero_pages() noexcept {
  static const bool older = kernel_is_before(6, 15);
  return older;
}

}  // namespace

long OwnPages::ask(const std::uintptr_t* pages, std::size_t count, std::int32_t* status) noexcept {
  forget();
  for (std::size_t i = 0; i < count; ++i) {
    const bool more = i + 1 < count && pages[i + 1] - pages[i] < kWindow / 8 * page_bytes();
    std::uint64_t entry = 0;
    long ret = entry_of(pages[i], more, &entry);
    if (ret == 0) ret = status_of(pages[i], entry, &status[i]);
    if (ret != 0) return ret;
  }
  return 0;
}

void OwnPages::forget() noexcept {
  filled_ = 0;
  other_until_ = zero_until_ = 0;
  mappings_ = Mappings();
}

bool OwnPages::is_exclusive(std::uintptr_t page) noexcept {
  std::uint64_t entry = 0;
  return entry_of(page, true, &entry) == 0 && (entry & kPageExclusive) != 0;
}

long OwnPages::entry_of(std::uintptr_t page, bool more_follow, std::uint64_t* entry) noexcept {
  const std::uintptr_t index = page / page_bytes();
  if (index < first_ || index - first_ >= filled_) {
    const long got = pagemap_.read(page, more_follow ? kWindow : 1, entries_);
    if (got < 0) return got;
    first_ = index;
    filled_ = static_cast<std::size_t>(got);
  }
  // The file ends at the last address of the process.
  *entry = filled_ > 0 ? entries_[index - first_] : 0;
  return 0;
}

long OwnPages::status_of(std::uintptr_t page, std::uint64_t entry, std::int32_t* status) noexcept {
  if (entry & (kPageSwapped | kPageGuard)) {
    *status = -ENOENT;
    return 0;
  }
  if (!(entry & kPagePresent)) {
    *status = status_of_absent(page);
    return 0;
  }
  const Zero zero = zero_page(page, entry);
  *status = zero == Zero::kYes ? -EFAULT : kHidden;
  if (zero == Zero::kYes || nodes_ == kUnknown) return 0;
  int node = 0;
  const long ret = sys_get_mempolicy(&node, nullptr, 0, page, kMpolFNode | kMpolFAddr);
  if (ret == -EFAULT) {
    if (is_of_device(page)) *status = -EFAULT;
    return 0;
  }
  if (ret == 0 && zero == Zero::kNo) *status = node;
  return ret;
}

// mincore(2) tells whether anything is mapped, and touches nothing.
std::int32_t OwnPages::status_of_absent(std::uintptr_t page) noexcept {
  unsigned char in_memory = 0;
  const std::uintptr_t start = page / page_bytes() * page_bytes();
  if (mincore(start, page_bytes(), &in_memory) == -ENOMEM) return -EFAULT;
  if (!holes_are_faults()) return -ENOENT;
  const Mapping* mapping = mappings_.at(page);
  return mapping != nullptr && mapping->anonymous ? -EFAULT : -ENOENT;
}

bool OwnPages::is_of_device(std::uintptr_t page) noexcept {
  const Mapping* mapping = mappings_.at(page);
  return mapping != nullptr && mapping->device;
}

OwnPages::Zero OwnPages::zero_page(std::uintptr_t page, std::uint64_t entry) noexcept {
  // The huge zero page looks like a page of a file.
  const bool of_file = (entry & kPageOfFile) != 0;
  if ((entry & kPageExclusive) && !of_file) return Zero::kNo;
  Zero found = Zero::kMaybe;
  if (scans_ && scan_for_zero_page(page, &found) &&
      (found == Zero::kYes || !of_file || !scans_miss_huge_zero_pages())) {
    return found;
  }
  const std::uint64_t number = entry & kPageFrameNumber;
  if (number != 0 && frame_flags_.tells()) {
    return frame_flags_.is_zero_page(number) ? Zero::kYes : Zero::kNo;
  }
  // Memory without a file has no other page that looks like one of a file.
  const Mapping* mapping = of_file ? mappings_.at(page) : nullptr;
  if (mapping == nullptr) return Zero::kMaybe;
  return mapping->anonymous ? Zero::kYes : Zero::kNo;
}

// False if the kernel does not scan page tables.
bool OwnPages::scan_for_zero_page(std::uintptr_t page, Zero* found) noexcept {
  const std::uintptr_t start = page / page_bytes() * page_bytes();
  if (start >= zero_from_ && start < zero_until_) {
    *found = Zero::kYes;
    return true;
  }
  if (start < other_from_ || start >= other_until_) {
    std::uintptr_t end = start + kWindow * page_bytes();
    Region region;
    long count = -EFAULT;
    // The kernel refuses a range that extends beyond the address space of the process.
    for (const std::uintptr_t until : {end, start + page_bytes()}) {
      Scan zeros = {start, end = until, 0, kScanZero, 0, kScanZero};
      count = scan(pagemap_, &zeros, &region, 1);
      if (count != -EFAULT) break;
    }
    scans_ = count >= 0;
    if (!scans_) return false;
    zero_from_ = zero_until_ = 0;
    other_from_ = start;
    other_until_ = end;
    if (count > 0) {
      other_until_ = zero_from_ = static_cast<std::uintptr_t>(region.start);
      zero_until_ = static_cast<std::uintptr_t>(region.end);
    }
  }
  *found = start < other_until_ ? Zero::kNo : Zero::kYes;
  return true;
}

}  // namespace movepages
