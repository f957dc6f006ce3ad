// Whether a node has room for a page.
#pragma once

#include <cstdint>

namespace movepages {

// Moves a page of our own to the node, and returns whether that fails. On a full node, the kernel
// first tries to free memory and writes a warning to its log, which takes milliseconds.
bool is_full(std::int32_t node) noexcept;

}  // namespace movepages
