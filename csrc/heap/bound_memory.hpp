// Mappings whose pages come by one memory policy.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernel/kernel.hpp"

namespace movepages {

inline std::uintptr_t address(const void* block) noexcept {
  return reinterpret_cast<std::uintptr_t>(block);
}

struct BoundMemory {
  int mode;
  NodeMask nodes;

  // Private, of zeros, at a multiple of `alignment`; null where there is none.
  void* map(std::size_t bytes, std::size_t alignment) const noexcept;
  // Whether the policy could be set; pages that are there stay where they are.
  bool bind(const void* start, std::size_t bytes) const noexcept;
  // False if some pages were seen on other nodes, as after a move. Looks at a few.
  bool seems_in_place(const void* start, std::size_t bytes) const noexcept;
};

}  // namespace movepages
