// The driver of move_pages(2): any number of pages, statuses that are true and complete.
//
// The kernel writes statuses late, partly or not at all when a call fails or stops early. The
// driver fills them with a sentinel, carries on behind a failed batch, and asks the kernel again
// wherever its first answer is missing or may not be believed. Plain C++: no Python, no throw.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

namespace movepages {

// No errno and no node: a page the kernel was never asked to move, or of which it cannot tell.
constexpr std::int32_t kNotAttempted = std::numeric_limits<std::int32_t>::min();

// Node ids fit in MAX_NUMNODES, which no configuration of Linux sets above 1024 (NODES_SHIFT <=
// 10).
constexpr std::int32_t kMaxNodes = 1024;

// Nodes the calling thread may use, as a mask of kMaxNodes bits.
struct NodeMask {
  static constexpr std::size_t kWordBits = 8 * sizeof(unsigned long);
  unsigned long words[static_cast<std::size_t>(kMaxNodes) / kWordBits] = {};
  bool has(std::int32_t node) const noexcept {
    const auto bit = static_cast<std::size_t>(node);
    return words[bit / kWordBits] >> (bit % kWordBits) & 1;
  }
};

// The three calls the driver makes, so that a test can put another kernel behind it.
struct Kernel {
  long (*move_pages)(int pid, std::size_t count, const std::uintptr_t* pages,
                     const std::int32_t* nodes, std::int32_t* status, int flags) noexcept;
  bool (*allowed_nodes)(NodeMask& mask) noexcept;  // false: not known, as in a sandbox
  std::int64_t (*now_ns)() noexcept;
  // Whether it calls pages absent that are not; see hidden.hpp. Null: it does not.
  bool (*hides_pages)() noexcept = nullptr;
};
extern const Kernel kRealKernel;

// Where the pages shall go. With `each` null they all go to `all`; a query has no target.
struct Target {
  const std::int32_t* each = nullptr;
  std::int32_t all = 0;
};

struct Request {
  int pid = 0;
  std::size_t count = 0;
  const std::uintptr_t* pages = nullptr;
  const Target* target = nullptr;  // null: query, nothing moves
  std::int32_t* status = nullptr;
  int flags = 0;
};

// Asked between chunks, at most once in a time slice; true ends the call with what is done.
struct Pause {
  bool (*wanted)(void* context) noexcept = nullptr;
  void* context = nullptr;
};

struct Outcome {
  long error = 0;            // 0, or the -errno with which a call failed as a whole
  std::size_t refused = 0;   // with `rejected`: the index of the entry whose node was refused
  bool rejected = false;     // refused before the kernel was asked: nothing has moved
  bool interrupted = false;  // Pause asked for the end
};

// Statuses afterwards, one per page: the node the page is on, -errno, or kNotAttempted. A page that
// was to move and is not where it was wanted never shows a node.
Outcome move_pages(const Request& request, const Pause& pause, const Kernel& kernel) noexcept;

}  // namespace movepages
