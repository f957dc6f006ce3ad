// Memory of our own on which system calls can be tried.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>

#include "kernel/pagemap.hpp"

namespace movepages {

// Two pages, the first of them touched.
class Scratch {
 public:
  Scratch() noexcept
      : memory_(
            ::mmap(nullptr, bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
    if (memory_ == MAP_FAILED) return;
    // The kernel may merge the mapping with a neighbour. A huge page could then cover both.
    ::madvise(memory_, bytes(), MADV_NOHUGEPAGE);
    *static_cast<volatile char*>(memory_) = 1;
  }
  ~Scratch() {
    if (is_mapped()) ::munmap(memory_, bytes());
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  bool is_mapped() const noexcept { return memory_ != MAP_FAILED; }
  std::uintptr_t touched() const noexcept { return reinterpret_cast<std::uintptr_t>(memory_); }
  std::uintptr_t untouched() const noexcept { return touched() + page_bytes(); }

 private:
  static std::size_t bytes() noexcept { return 2 * page_bytes(); }

  void* memory_;
};

}  // namespace movepages
