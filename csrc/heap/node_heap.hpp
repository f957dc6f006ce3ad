// A heap whose pages follow one memory policy: small blocks share slabs, each of the others is a
// mapping. No part of a page in it belongs to anything else. A few mappings that were released wait
// for the next block of their size: their pages are where they should be. No Python here.
#pragma once

#include <mutex>
#include <unordered_map>

#include "heap/bound_memory.hpp"
#include "heap/slabs.hpp"

namespace movepages {

class NodeHeap {
 public:
  // Mappings of `huge_from` bytes or more begin on the border of a huge page and ask for huge
  // pages; 0 for none.
  NodeHeap(int mode, const NodeMask& nodes, std::size_t huge_from) noexcept
      : memory_{mode, nodes}, huge_from_(huge_from), slabs_(memory_) {}
  ~NodeHeap();
  NodeHeap(const NodeHeap&) = delete;
  NodeHeap& operator=(const NodeHeap&) = delete;

  // As malloc, calloc, realloc and free do it; null where there is no memory.
  void* allocate(std::size_t bytes) noexcept;
  void* allocate_zeroed(std::size_t bytes) noexcept;
  void* resize(void* block, std::size_t bytes) noexcept;
  void release(void* block) noexcept;
  // Keeps nothing for later from now on: whoever made new blocks is done with it.
  void retire() noexcept;

 private:
  static constexpr std::size_t kMostSpares = 16;
  static constexpr std::size_t kMostSpareBytes = 64 << 20;

  struct Mapping {
    void* start;
    std::size_t bytes;
  };

  // The caller holds the mutex for each of these.
  void* take_mapping(std::size_t bytes, bool zeroed) noexcept;
  void* take_spare(std::size_t bytes) noexcept;
  void keep_spare(Mapping released) noexcept;
  void drop_spares() noexcept;
  void* resize_mapping(Mapping before, std::size_t bytes) noexcept;
  std::size_t mapped_bytes(const void* block) const noexcept;  // 0: a small one

  const BoundMemory memory_;
  const std::size_t huge_from_;
  std::mutex mutex_;
  Slabs slabs_;
  // NumPy does not always tell how large a block was.
  std::unordered_map<std::uintptr_t, std::size_t> mappings_;
  Mapping spares_[kMostSpares] = {};  // The oldest first.
  std::size_t spare_count_ = 0;
  std::size_t spare_bytes_ = 0;
  bool retired_ = false;
};

}  // namespace movepages
