#include "hidden.hpp"

#include <sys/utsname.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "syscalls.hpp"

namespace movepages {
namespace {

bool is_before_6_6() noexcept {
  utsname name;
  int major = 0;
  int minor = 0;
  if (::uname(&name) != 0 || std::sscanf(name.release, "%d.%d", &major, &minor) != 2) return false;
  return major < 6 || (major == 6 && minor < 6);
}

// A zero page is present too, and truly on no node; it answers EFAULT and is nobody's own.
bool tells_of_memory(std::uint64_t entry, std::int32_t status) noexcept {
  return (entry & kPagePresent) && (status == -ENOENT || (entry & kPageExclusive));
}

}  // namespace

bool kernel_hides_pages() noexcept {
  static const bool hides = is_before_6_6();
  return hides;
}

std::int32_t HiddenPages::reveal(std::uintptr_t page, std::int32_t status) noexcept {
  if (status != -ENOENT && status != -EFAULT) return status;
  if (!seems_hidden(page, status)) return status;
  std::uint64_t entry = 0;
  if (pagemap_.read(page, 1, &entry) != 1 || !tells_of_memory(entry, status)) return status;
  int node = 0;
  const long ret = sys_get_mempolicy(&node, nullptr, 0, page, kMpolFNode | kMpolFAddr);
  return ret == 0 ? node : status;
}

// Absent pages come in rows: a window of entries is read at once.
bool HiddenPages::seems_hidden(std::uintptr_t page, std::int32_t status) noexcept {
  const std::uintptr_t index = page / page_bytes();
  if (index < first_ || index - first_ >= filled_) {
    first_ = index;
    filled_ = static_cast<std::size_t>(std::max(pagemap_.read(page, kWindow, entries_), 0L));
  }
  return filled_ > 0 && tells_of_memory(entries_[index - first_], status);
}

}  // namespace movepages
