// An independent source of the node of a page: get_mempolicy(2) walks the page tables with other
// code than move_pages(2). It faults absent pages in, so call it for present pages only.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernel/syscalls.hpp"

namespace movepages {

// Writes the node or -errno of each page of the calling process.
inline void mempolicy_nodes(const std::uintptr_t* pages, std::size_t count,
                            std::int32_t* nodes) noexcept {
  for (std::size_t i = 0; i < count; ++i) {
    int node = 0;
    const long ret = sys_get_mempolicy(&node, nullptr, 0, pages[i], kMpolFNode | kMpolFAddr);
    nodes[i] = ret < 0 ? static_cast<std::int32_t>(ret) : node;
  }
}

}  // namespace movepages
