// Whether a node has room for a page, as the calling thread has found out.
#pragma once

#include <cstdint>

namespace movepages {

// Moves a page of our own to the node, and returns whether that fails. On a full node, the kernel
// first tries to free memory and writes a warning to its log, which takes milliseconds. So a full
// node is remembered until the thread forgets it.
bool is_full(std::int32_t node) noexcept;
bool is_known_full(std::int32_t node) noexcept;
void forget_full_nodes() noexcept;

}  // namespace movepages
