// What the page tables tell of a range without asking for its pages one by one: PAGEMAP_SCAN, an
// ioctl on /proc/PID/pagemap since Linux 6.7. It tells no node.
#pragma once

#include <cstddef>
#include <cstdint>

namespace movepages {

struct Range {
  std::uintptr_t start;
  std::uintptr_t end;
};

// Opens /proc/PID/pagemap (pid 0: this process). A descriptor, or -errno.
int open_pagemap(int pid) noexcept;

// Writes at most `room` ranges of [*start, end) that are mapped by huge pages, in address order,
// and puts into *start how far it came. How many, or -errno: ENOTTY before Linux 6.7.
long scan_huge(int pagemap, std::uintptr_t* start, std::uintptr_t end, Range* found,
               std::size_t room) noexcept;

}  // namespace movepages
