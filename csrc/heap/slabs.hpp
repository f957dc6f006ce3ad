// Small blocks of memory; blocks of similar size share a slab.
#pragma once

#include "heap/bound_memory.hpp"

namespace movepages {

// Not thread-safe.
class Slabs {
 public:
  static constexpr std::size_t kMostBytes = 32 << 10;  // the largest block

  explicit Slabs(const BoundMemory& memory) noexcept : memory_(memory) {}
  ~Slabs();
  Slabs(const Slabs&) = delete;
  Slabs& operator=(const Slabs&) = delete;

  void* take(std::size_t bytes) noexcept;  // null if there is no memory
  void give_back(void* block) noexcept;
  // The number of bytes that the block can hold.
  static std::size_t capacity(const void* block) noexcept;

 private:
  struct Slab;
  static constexpr std::size_t kSlabBytes = 256 << 10;
  static constexpr std::size_t kClasses = 18;

  static Slab* slab_of(const void* block) noexcept;
  void link(Slab* slab) noexcept;
  void unlink(Slab* slab) noexcept;

  const BoundMemory& memory_;
  Slab* with_room_[kClasses] = {};
};

}  // namespace movepages
