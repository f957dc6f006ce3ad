// Maps page frame numbers to nodes through the memory blocks that sysfs lists.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

namespace movepages {

class MemoryBlocks {
 public:
  MemoryBlocks() = default;
  // Reads memory/ and node/ in `folder`. Holds no blocks if they are hidden or of unknown format.
  explicit MemoryBlocks(const char* folder);

  bool empty() const noexcept { return nodes_.empty(); }

  // The node of a page frame; negative if it is unknown, as in a block that several nodes share.
  std::int32_t node_of(std::uint64_t frame_number) const noexcept {
    const std::uint64_t block = frame_number >> shift_;
    return block < nodes_.size() ? nodes_[static_cast<std::size_t>(block)] : kUnknown;
  }

  // Whether two page frames are in one block.
  bool same(std::uint64_t one, std::uint64_t other) const noexcept {
    return (one ^ other) >> shift_ == 0;
  }

 private:
  static constexpr std::int32_t kUnknown = -1;
  static constexpr std::int32_t kShared = -2;

  void add(std::size_t block, std::int32_t node);

  unsigned shift_ = 0;
  std::vector<std::int32_t> nodes_;
};

// The blocks of this machine, read at the first use. Memory can be plugged in at any time, so no
// instance lives for long.
class BlocksOnDemand {
 public:
  const MemoryBlocks& get();

 private:
  std::once_flag read_;
  MemoryBlocks blocks_;
};

}  // namespace movepages
