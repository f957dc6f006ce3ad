// Pieces of huge pages in a list of pages. The kernel takes as long for each of them as for a page
// of its own, and calls all but one of those it moves busy; so one of them stands for all.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernel/kernel.hpp"

namespace movepages {

// What a list of pages begins with.
struct Stretch {
  std::size_t entries;  // of the list
  std::size_t heads;    // huge pages that these are the pieces of; 0: pages to ask for one by one
};

class HugePages {
 public:
  // These take about 25 ms to move, where one is of 2 MiB; of larger ones there are less.
  static constexpr std::size_t kMostHeads = 64;
  static constexpr std::size_t kMostBytes = std::size_t{128} << 20;

  HugePages(int pid, const Kernel& kernel) noexcept;

  // At most `most` pages, or huge pages, that a list of `count` pages begins with. Neighbouring
  // pieces with one target are taken together; `nodes` may be null.
  Stretch next(const std::uintptr_t* pages, const std::int32_t* nodes, std::size_t count,
               std::size_t most) noexcept;
  // After next(): the index of the first entry of huge page k, and with k = heads the end.
  std::size_t first(std::size_t k) const noexcept { return first_[k]; }

  // Has what was seen looked at anew.
  void forget() noexcept { from_ = until_ = 0; }
  // Whether the page is a piece of a huge page.
  bool is_piece(std::uintptr_t page) noexcept;

 private:
  std::uintptr_t frame_of(std::uintptr_t page) const noexcept {
    return page / kernel_.frame_bytes * kernel_.frame_bytes;
  }
  std::size_t pieces(const std::uintptr_t* pages, const std::int32_t* nodes,
                     std::size_t count) const noexcept;
  std::size_t unlooked_at() noexcept;

  const Kernel& kernel_;
  Pagemap pagemap_;
  bool tells_;
  const std::size_t fewest_;
  const std::size_t most_heads_;
  std::uintptr_t from_ = 0;  // all between these is huge
  std::uintptr_t until_ = 0;
  std::size_t misses_ = 0;
  std::size_t first_[kMostHeads + 1];
};

}  // namespace movepages
