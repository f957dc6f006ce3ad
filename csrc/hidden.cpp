#include "hidden.hpp"

#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "pagemap.hpp"
#include "syscalls.hpp"

namespace movepages {
namespace {

// Documentation/admin-guide/mm/pagemap.rst
constexpr std::uint64_t kPresent = std::uint64_t{1} << 63;
constexpr std::uint64_t kExclusive = std::uint64_t{1} << 56;

bool is_before_6_6() noexcept {
  utsname name;
  int major = 0;
  int minor = 0;
  if (::uname(&name) != 0 || std::sscanf(name.release, "%d.%d", &major, &minor) != 2) return false;
  return major < 6 || (major == 6 && minor < 6);
}

}  // namespace

bool kernel_hides_pages() noexcept {
  static const bool hides = is_before_6_6();
  return hides;
}

HiddenPages::~HiddenPages() {
  if (pagemap_ >= 0) ::close(pagemap_);
}

std::int32_t HiddenPages::reveal(std::uintptr_t page, std::int32_t status) noexcept {
  if (status != -ENOENT && status != -EFAULT) return status;
  const std::uint64_t entry = pagemap_entry(page);
  // A zero page is present too, and truly on no node; it answers EFAULT and is nobody's own.
  const bool hidden = (entry & kPresent) && (status == -ENOENT || (entry & kExclusive));
  if (!hidden) return status;
  int node = 0;
  const long ret = sys_get_mempolicy(&node, nullptr, 0, page, kMpolFNode | kMpolFAddr);
  return ret == 0 ? node : status;
}

// Absent pages come in rows: a window of entries is read at once.
std::uint64_t HiddenPages::pagemap_entry(std::uintptr_t page) noexcept {
  static const auto page_size = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const std::uintptr_t index = page / page_size;
  if (index < first_ || index - first_ >= filled_) {
    if (pagemap_ < 0 && !unreadable_) pagemap_ = open_pagemap(0);
    unreadable_ = pagemap_ < 0;
    if (unreadable_) return 0;
    const auto offset = static_cast<off_t>(index * sizeof(entries_[0]));
    const ssize_t got = ::pread(pagemap_, entries_, sizeof entries_, offset);
    first_ = index;
    filled_ = got > 0 ? static_cast<std::size_t>(got) / sizeof(entries_[0]) : 0;
    if (filled_ == 0) return 0;
  }
  return entries_[index - first_];
}

}  // namespace movepages
