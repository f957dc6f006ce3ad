#include "kernel/hidden.hpp"

#include <fcntl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <new>

#include "kernel/syscalls.hpp"

namespace movepages {
namespace {

// The zero page is also present, but it is on no node. move_pages(2) returns EFAULT for it, and its
// entry is never exclusive.
bool tells_of_memory(std::uint64_t entry, std::int32_t status) noexcept {
  return (entry & kPagePresent) && (status == -ENOENT || (entry & kPageExclusive));
}

}  // namespace

bool kernel_is_before(int major, int minor) noexcept {
  utsname name;
  int is_major = 0;
  int is_minor = 0;
  if (::uname(&name) != 0 || std::sscanf(name.release, "%d.%d", &is_major, &is_minor) != 2) {
    return false;
  }
  return is_major < major || (is_major == major && is_minor < minor);
}

bool kernel_hides_pages() noexcept {
  static const bool hides = kernel_is_before(6, 6);
  return hides;
}

bool FrameFlags::tells() noexcept {
  if (descriptor_ == kNotOpened) descriptor_ = ::open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
  return descriptor_ >= 0;
}

bool FrameFlags::is_zero_page(std::uint64_t frame_number) noexcept {
  constexpr std::uint64_t kZeroPage = std::uint64_t{1} << 24;
  if (frame_number == 0 || !tells()) return false;
  std::uint64_t flags = 0;
  const auto offset = static_cast<off_t>(frame_number * sizeof flags);
  return ::pread(descriptor_, &flags, sizeof flags, offset) == sizeof flags && (flags & kZeroPage);
}

std::int32_t HiddenPages::reveal(std::uintptr_t page, std::int32_t status) noexcept {
  if (status != -ENOENT && status != -EFAULT) return status;
  if (!seems_hidden(page, status)) return status;
  std::uint64_t entry = 0;
  if (pagemap_.read(page, 1, &entry) != 1 || !tells_of_memory(entry, status)) return status;
  const bool shared = !(entry & kPageExclusive);
  if (shared && frame_flags_.is_zero_page(entry & kPageFrameNumber)) return -EFAULT;
  std::int32_t node = pid_ == 0 || touches_ ? touched(page) : kHidden;
  // A frame number shows the node of a page, but the page stays hidden from a move.
  if (node < 0 && !touches_) node = node_by_number(entry);
  return node >= 0 ? node : kHidden;
}

// Accesses a page and returns its node, or a negative value if the access is not allowed.
std::int32_t HiddenPages::touched(std::uintptr_t page) noexcept {
  int node = kHidden;
  if (pid_ == 0) {
    const long ret = sys_get_mempolicy(&node, nullptr, 0, page, kMpolFNode | kMpolFAddr);
    return ret == 0 ? node : kHidden;
  }
  if (!sys_read_byte(pid_, page)) return kHidden;
  const long ret = sys_move_pages(pid_, 1, &page, nullptr, &node, kMpolMfMove);
  return ret == 0 ? node : kHidden;
}

// The kernel shows frame numbers only with CAP_SYS_ADMIN. A page that is neither exclusive nor
// file-backed may be the zero page.
std::int32_t HiddenPages::node_by_number(std::uint64_t entry) noexcept {
  const std::uint64_t number = entry & kPageFrameNumber;
  if (number == 0 || (entry & (kPageExclusive | kPageOfFile)) == 0) return kHidden;
  try {
    return blocks_.get().node_of(number);
  } catch (const std::bad_alloc&) {
    return kHidden;
  }
}

// Absent pages are usually adjacent, so entries are read a window at a time.
bool HiddenPages::seems_hidden(std::uintptr_t page, std::int32_t status) noexcept {
  const std::uintptr_t index = page / page_bytes();
  if (index < first_ || index - first_ >= filled_) {
    first_ = index;
    filled_ = static_cast<std::size_t>(std::max(pagemap_.read(page, kWindow, entries_), 0L));
  }
  return filled_ > 0 && tells_of_memory(entries_[index - first_], status);
}

}  // namespace movepages
