// Whether a node has room for a page.
#pragma once

#include <cstdint>

namespace movepages {

// Moves a page of our own to the node, and returns whether that fails.
bool is_full(std::int32_t node) noexcept;

}  // namespace movepages
