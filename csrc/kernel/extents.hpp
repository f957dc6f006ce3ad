// How far a page of this process reaches: one page, or the huge page that it is a piece of. A call
// that changes the mapping of a part of a huge page would split it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernel/mappings.hpp"
#include "kernel/pagemap.hpp"

namespace movepages {

struct Extent {
  std::uintptr_t start;
  std::uintptr_t end;
};

class Extents {
 public:
  Extent of(std::uintptr_t page) noexcept;
  // Forgets what was read before.
  void forget() noexcept;

 private:
  // What /proc/self/smaps tells of a mapping.
  struct Held {
    std::uintptr_t start;
    std::uintptr_t end;
    std::size_t huge_bytes;
    bool dumped;  // in core dumps
  };

  bool is_huge(std::uintptr_t block) noexcept;
  bool is_all_present(std::uintptr_t block);
  bool is_huge_by_smaps(std::uintptr_t block);
  static std::vector<Held> read_smaps();
  static const Held* find(const std::vector<Held>& all, std::uintptr_t block) noexcept;

  Pagemap pagemap_{0};
  bool scans_ = true;
  std::uintptr_t block_ = 1;  // the block asked about last; none
  bool huge_ = false;
  bool read_ = false;
  std::vector<Held> held_;
};

}  // namespace movepages
