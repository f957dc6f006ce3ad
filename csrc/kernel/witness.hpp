// A second source for where a page is: get_mempolicy(2), which walks the page tables by another
// road than move_pages(2). It faults an absent page in, so ask it of present ones alone.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernel/syscalls.hpp"

namespace movepages {

// Node or -errno of each page of the calling process.
inline void mempolicy_nodes(const std::uintptr_t* pages, std::size_t count,
                            std::int32_t* nodes) noexcept {
  for (std::size_t i = 0; i < count; ++i) {
    int node = 0;
    const long ret = sys_get_mempolicy(&node, nullptr, 0, pages[i], kMpolFNode | kMpolFAddr);
    nodes[i] = ret < 0 ? static_cast<std::int32_t>(ret) : node;
  }
}

}  // namespace movepages
