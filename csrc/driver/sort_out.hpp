// Sorts the pages of a slice by what a move must do with them. The first pass classifies them; the
// second groups the pages to move by target node.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "driver/migrate.hpp"
#include "kernel/hidden.hpp"
#include "kernel/kernel.hpp"

namespace movepages {

struct ToSort {
  std::size_t count;
  const std::uintptr_t* pages;
  const std::int32_t* before;  // node, or another status from the kernel
  const std::int32_t* wanted;  // node, or negative: none, because the page was absent
};

// A hidden page is in memory too, on an unknown node.
inline bool in_memory(std::int32_t before) noexcept { return before >= 0 || before == kHidden; }

// Sets `status` to kNotAttempted for pages that need a call, and `there` for pages that are as
// wanted. Returns how many pages move to each node. Wanted nodes must be below kMaxNodes.
inline std::vector<std::size_t> sort_out(const ToSort& slice, std::int32_t* status, bool* there) {
  std::vector<std::size_t> to_node(static_cast<std::size_t>(kMaxNodes), 0);
  for (std::size_t i = 0; i < slice.count; ++i) {
    const std::int32_t before = slice.before[i];
    const std::int32_t wanted = slice.wanted[i];
    there[i] = before == wanted || (wanted < 0 && !in_memory(before));
    const bool asked = in_memory(before) && !there[i];
    status[i] = asked ? kNotAttempted : before;
    if (asked && wanted >= 0) ++to_node[static_cast<std::size_t>(wanted)];
  }
  return to_node;
}

// Writes the pages to move in order of node and address: the index of each in the slice, its
// address and its node. `begin` holds the first place of each node; it is changed.
inline void group(const ToSort& slice, const std::int32_t* status, std::vector<std::size_t>* begin,
                  std::int64_t* index, std::uintptr_t* pages, std::int32_t* nodes) {
  for (std::size_t i = 0; i < slice.count; ++i) {
    const std::int32_t wanted = slice.wanted[i];
    // A page that was not attempted before has this status too, and must not be moved.
    if (status[i] != kNotAttempted || !in_memory(slice.before[i]) || wanted < 0) continue;
    // Only the caller has these three arrays, so nobody changes them in between.
    const std::size_t at = (*begin)[static_cast<std::size_t>(wanted)]++;
    index[at] = static_cast<std::int64_t>(i);
    pages[at] = slice.pages[i];
    nodes[at] = wanted;
  }
}

}  // namespace movepages
