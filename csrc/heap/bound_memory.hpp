// Mappings that allocate their pages by one memory policy.
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

  // Returns a private zeroed mapping at a multiple of `alignment`; null if there is no memory.
  void* map(std::size_t bytes, std::size_t alignment) const noexcept;
  // Sets the policy and returns whether that worked. Pages already allocated stay where they are.
  bool bind(const void* start, std::size_t bytes) const noexcept;
  // False if one of a few sampled pages is on another node, as after a move.
  bool seems_in_place(const void* start, std::size_t bytes) const noexcept;
};

}  // namespace movepages
