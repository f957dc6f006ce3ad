// Finds the pages of a list that are pieces of huge pages. The kernel takes as long for each piece
// as for a separate page, and when it moves a huge page, it reports all pieces but one as busy. So
// one piece, the head, stands for all pieces of a huge page.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernel/kernel.hpp"

namespace movepages {

// The start of a list: either ordinary pages or pieces of huge pages.
struct RunGroup {
  std::size_t entries;  // entries of the list
  std::size_t heads;    // huge pages that these entries are pieces of; 0: ordinary pages
};

class HugePages {
 public:
  // Moving this many huge pages of 2 MiB takes about 100 ms, several times the fixed cost of a call
  // where that is large. For larger huge pages, kMostBytes is the limit.
  static constexpr std::size_t kMostHeads = 512;
  static constexpr std::size_t kMostBytes = std::size_t{1} << 30;

  HugePages(int pid, const Kernel& kernel) noexcept;

  // Returns at most the first `most` pages, or `most_huge` huge pages, of a list of `count` pages.
  // Adjacent pieces with one target are folded into one huge page; `nodes` may be null.
  RunGroup next(const std::uintptr_t* pages, const std::int32_t* nodes, std::size_t count,
                std::size_t most, std::size_t most_huge) noexcept;
  // After next(): the index of the first entry of huge page k; for k = heads, the end.
  std::size_t first(std::size_t k) const noexcept { return first_[k]; }

  // Discards what was read from the page tables, so that they are read again.
  void forget() noexcept { from_ = until_ = 0; }
  // Whether the page is a piece of a huge page.
  bool is_piece(std::uintptr_t page) noexcept;
  // Whether the page tables could be read the last time.
  bool tells() const noexcept { return tells_; }

 private:
  std::uintptr_t huge_page_of(std::uintptr_t page) const noexcept {
    return page / kernel_.huge_page_bytes * kernel_.huge_page_bytes;
  }
  std::size_t pieces(const std::uintptr_t* pages, const std::int32_t* nodes,
                     std::size_t count) const noexcept;
  std::size_t unlooked_at() noexcept;

  const Kernel& kernel_;
  Pagemap pagemap_;
  bool tells_;
  const std::size_t fewest_;
  const std::size_t most_heads_;
  std::uintptr_t from_ = 0;  // all pages between these are huge
  std::uintptr_t until_ = 0;
  std::size_t misses_ = 0;
  std::size_t first_[kMostHeads + 1];
};

}  // namespace movepages
