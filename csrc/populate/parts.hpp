// The work of a share, in parts that its threads take one after the other.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "kernel/pagemap.hpp"
#include "populate/populate.hpp"

namespace movepages {

// Populating 16 MiB takes a few milliseconds, a hundred times as long as asking for the room. A
// huge page is larger where a page has 16 KiB or more.
inline std::size_t part_bytes() noexcept {
  return std::max(std::size_t{16} << 20, huge_page_bytes());
}

// If steps were smaller than a huge page, the kernel would allocate more than a step has room for.
inline std::size_t step_bytes() noexcept {
  return std::max(std::size_t{2} << 20, huge_page_bytes());
}

// Calls take(ranges, bytes) for each step of a part, until it returns false. Steps end at multiples
// of their size, so that none cuts through a huge page.
template <typename Take>
void each_step(const std::vector<ByteRange>& part, Take take) {
  const std::size_t most = step_bytes();
  std::vector<ByteRange> step;
  std::size_t bytes = 0;
  for (const ByteRange& range : part) {
    std::size_t size = 0;
    for (std::uintptr_t at = range.start; at < range.start + range.bytes; at += size) {
      size = std::min<std::size_t>(range.start + range.bytes - at, most - at % most);
      if (bytes + size > most) {
        if (!take(step, bytes)) return;
        step.clear();
        bytes = 0;
      }
      step.push_back({at, size});
      bytes += size;
    }
  }
  if (bytes > 0) take(step, bytes);
}

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
    const std::size_t most = part_bytes();
    std::size_t taken = 0;
    const std::lock_guard lock(mutex_);
    while (taken < most && range_ < share_.ranges.size()) {
      const ByteRange& range = share_.ranges[range_];
      const std::uintptr_t start = range.start + offset_;
      const std::size_t bytes = std::min(range.bytes - offset_, most - start % most);
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
