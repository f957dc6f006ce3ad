// A heap whose pages follow one memory policy. Small blocks share slabs; each larger block is a
// mapping of its own. No page of the heap holds anything else. A few released mappings are kept for
// the next block of their size, because their pages are on the right nodes already.
#pragma once

#include <mutex>
#include <unordered_map>

#include "heap/bound_memory.hpp"
#include "heap/slabs.hpp"

namespace movepages {

class NodeHeap {
 public:
  // Mappings of `huge_from` bytes or more start at a multiple of the huge page size and request
  // huge pages. If `huge_from` is 0, no mapping does.
  NodeHeap(int mode, const NodeMask& nodes, std::size_t huge_from) noexcept
      : memory_{mode, nodes}, huge_from_(huge_from), slabs_(memory_) {}
  ~NodeHeap();
  NodeHeap(const NodeHeap&) = delete;
  NodeHeap& operator=(const NodeHeap&) = delete;

  // Like malloc, calloc, realloc and free; null if there is no memory.
  void* allocate(std::size_t bytes) noexcept;
  void* allocate_zeroed(std::size_t bytes) noexcept;
  void* resize(void* block, std::size_t bytes) noexcept;
  void release(void* block) noexcept;
  // Frees the kept mappings and keeps none from now on. Called when no new blocks are expected.
  void retire() noexcept;

 private:
  static constexpr std::size_t kMostSpares = 16;
  static constexpr std::size_t kMostSpareBytes = 64 << 20;

  struct Mapping {
    void* start;
    std::size_t bytes;
  };

  // The caller must hold the mutex for each of these.
  void* take_mapping(std::size_t bytes, bool zeroed) noexcept;
  void* take_spare(std::size_t bytes) noexcept;
  void keep_spare(Mapping released) noexcept;
  void drop_spares() noexcept;
  void* resize_mapping(Mapping before, std::size_t bytes) noexcept;
  std::size_t mapped_bytes(const void* block) const noexcept;  // 0: a small block

  const BoundMemory memory_;
  const std::size_t huge_from_;
  std::mutex mutex_;
  Slabs slabs_;
  // The sizes of the mappings, because NumPy does not always pass the size of a block.
  std::unordered_map<std::uintptr_t, std::size_t> mappings_;
  Mapping spares_[kMostSpares] = {};  // oldest first
  std::size_t spare_count_ = 0;
  std::size_t spare_bytes_ = 0;
  bool retired_ = false;
};

}  // namespace movepages
