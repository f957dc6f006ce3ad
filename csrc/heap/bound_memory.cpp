#include "heap/bound_memory.hpp"

#include <sys/mman.h>

#include <algorithm>

#include "kernel/engine.hpp"
#include "kernel/policy.hpp"

namespace movepages {

void* BoundMemory::map(std::size_t bytes, std::size_t alignment) const noexcept {
  const std::size_t ahead = alignment > page_bytes() ? alignment : 0;
  if (bytes + ahead < bytes) return nullptr;
  void* whole =
      ::mmap(nullptr, bytes + ahead, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (whole == MAP_FAILED) return nullptr;
  const std::uintptr_t begin = address(whole);
  const std::uintptr_t start = ahead == 0 ? begin : (begin + ahead - 1) / ahead * ahead;
  void* block = reinterpret_cast<void*>(start);
  const std::size_t behind = begin + ahead - start;
  if (start > begin) ::munmap(whole, start - begin);
  if (behind > 0) ::munmap(reinterpret_cast<void*>(start + bytes), behind);
  if (bind(block, bytes)) return block;
  ::munmap(block, bytes);
  return nullptr;
}

bool BoundMemory::bind(const void* start, std::size_t bytes) const noexcept {
  return bind_range(address(start), bytes, mode, nodes, 0) == 0;
}

bool BoundMemory::seems_in_place(const void* start, std::size_t bytes) const noexcept {
  if (!nodes.any()) return true;
  constexpr std::size_t kLooks = 8;
  std::uintptr_t pages[kLooks];
  std::int32_t status[kLooks];
  for (std::size_t i = 0; i < kLooks; ++i)
    pages[i] = (address(start) + i * (bytes - 1) / (kLooks - 1)) / page_bytes() * page_bytes();
  if (kernel_in_use().move_pages(0, kLooks, pages, nullptr, status, kMpolMfMove) != 0) return true;
  return std::none_of(status, status + kLooks,
                      [&](std::int32_t node) { return node >= 0 && !nodes.has(node); });
}

}  // namespace movepages
