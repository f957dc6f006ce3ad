// The work of a share, in parts that its threads take one after the other.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "populate/populate.hpp"

namespace movepages {

// Populating this much takes a few milliseconds, a hundred times as long as asking for the room.
constexpr std::size_t kPartBytes = std::size_t{16} << 20;

// Hands out the ranges of a share in parts, to any thread.
class Parts {
 public:
  explicit Parts(const NodeShare& share) : share_(share) {
    for (const ByteRange& range : share.ranges) left_ += range.bytes;
  }

  // The bytes that no thread has finished yet.
  std::size_t left() const noexcept { return left_; }
  void finished(std::size_t bytes) noexcept { left_ -= bytes; }
  std::mutex& alone() noexcept { return alone_; }

  // Returns the bytes of the next part; 0 if there is none. Parts end at multiples of their size,
  // so that none cuts through a huge page.
  std::size_t take(std::vector<ByteRange>* part) {
    part->clear();
    std::size_t taken = 0;
    const std::lock_guard lock(mutex_);
    while (taken < kPartBytes && range_ < share_.ranges.size()) {
      const ByteRange& range = share_.ranges[range_];
      const std::uintptr_t start = range.start + offset_;
      const std::size_t bytes = std::min(range.bytes - offset_, kPartBytes - start % kPartBytes);
      part->push_back({start, bytes});
      taken += bytes;
      offset_ += bytes;
      if (offset_ < range.bytes) continue;
      offset_ = 0;
      ++range_;
    }
    return taken;
  }

 private:
  const NodeShare& share_;
  std::mutex alone_;
  std::mutex mutex_;
  std::size_t range_ = 0;
  std::size_t offset_ = 0;
  std::atomic<std::size_t> left_{0};
};

}  // namespace movepages
