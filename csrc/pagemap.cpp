#include "pagemap.hpp"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>

#include <cstdio>

namespace movepages {
namespace {

// include/uapi/linux/fs.h, restated because the headers of most systems are older than 6.7.
struct PageRegion {
  std::uint64_t start;
  std::uint64_t end;
  std::uint64_t categories;
};

struct PmScanArg {
  std::uint64_t size;
  std::uint64_t flags;
  std::uint64_t start;
  std::uint64_t end;
  std::uint64_t walk_end;
  std::uint64_t vec;
  std::uint64_t vec_len;
  std::uint64_t max_pages;
  std::uint64_t category_inverted;
  std::uint64_t category_mask;
  std::uint64_t category_anyof_mask;
  std::uint64_t return_mask;
};

constexpr unsigned long kPagemapScan = _IOWR('f', 16, PmScanArg);
constexpr std::uint64_t kPageIsHuge = 1 << 6;
constexpr std::size_t kRegions = 256;

}  // namespace

int open_pagemap(int pid) noexcept {
  char path[32] = "/proc/self/pagemap";
  if (pid != 0) std::snprintf(path, sizeof path, "/proc/%d/pagemap", pid);
  const int descriptor = ::open(path, O_RDONLY | O_CLOEXEC);
  return descriptor < 0 ? -errno : descriptor;
}

long scan_huge(int pagemap, std::uintptr_t* start, std::uintptr_t end, Range* found,
               std::size_t room) noexcept {
  PageRegion regions[kRegions];
  PmScanArg arg = {};
  arg.size = sizeof arg;
  arg.start = *start;
  arg.end = end;
  arg.vec = reinterpret_cast<std::uintptr_t>(regions);
  arg.vec_len = room < kRegions ? room : kRegions;
  arg.category_mask = kPageIsHuge;
  arg.return_mask = kPageIsHuge;
  const int count = ::ioctl(pagemap, kPagemapScan, &arg);
  if (count < 0) return -errno;
  for (int i = 0; i < count; ++i) {
    found[i] = {static_cast<std::uintptr_t>(regions[i].start),
                static_cast<std::uintptr_t>(regions[i].end)};
  }
  *start = static_cast<std::uintptr_t>(arg.walk_end);
  return count;
}

}  // namespace movepages
