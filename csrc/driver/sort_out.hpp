// Sorts the pages of a slice by what a move has to do with them: one pass classifies them, a second
// one groups the pages to be moved by target node.
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
  const std::int32_t* before;  // node, or what else the kernel said
  const std::int32_t* wanted;  // node, or less than 0: none, as the page was absent
};

// A hidden page is in memory too, somewhere.
inline bool in_memory(std::int32_t before) noexcept { return before >= 0 || before == kHidden; }

// `status` of pages to be asked for is kNotAttempted; `there` tells those that are as wanted.
// How many are to be moved to each node. Wanted nodes are below kMaxNodes.
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

// Writes the pages to be moved by node and address: the index of each in the slice, its address and
// its node. `begin` has the first place of each node, and is used up.
inline void group(const ToSort& slice, const std::int32_t* status, std::vector<std::size_t>* begin,
                  std::int64_t* index, std::uintptr_t* pages, std::int32_t* nodes) {
  for (std::size_t i = 0; i < slice.count; ++i) {
    const std::int32_t wanted = slice.wanted[i];
    // What was not attempted before has this status, too, and is not to be moved.
    if (status[i] != kNotAttempted || !in_memory(slice.before[i]) || wanted < 0) continue;
    // All three arrays are the caller's alone: nobody changes them in between.
    const std::size_t at = (*begin)[static_cast<std::size_t>(wanted)]++;
    index[at] = static_cast<std::int64_t>(i);
    pages[at] = slice.pages[i];
    nodes[at] = wanted;
  }
}

}  // namespace movepages
