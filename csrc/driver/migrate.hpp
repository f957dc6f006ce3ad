// The driver of move_pages(2), for any number of pages, with true and complete statuses.
//
// The kernel writes statuses late, partly or not at all when a call fails or stops early. The
// driver fills them with a sentinel, carries on after a failed batch, and asks the kernel again
// wherever the first answer is missing or unreliable. It is plain C++ without Python or exceptions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "driver/pace.hpp"
#include "kernel/kernel.hpp"

namespace movepages {

// Neither an errno nor a node: the kernel was never asked to move the page, or cannot tell.
constexpr std::int32_t kNotAttempted = std::numeric_limits<std::int32_t>::min();

// The target node: `each` holds one for each page; if it is null, all pages go to `all`. A query
// has no target.
struct Target {
  const std::int32_t* each = nullptr;
  std::int32_t all = 0;
};

struct Request {
  int pid = 0;
  std::size_t count = 0;
  const std::uintptr_t* pages = nullptr;
  const Target* target = nullptr;  // null: a query, nothing moves
  std::int32_t* status = nullptr;
  int flags = 0;
  // The cost of a call as measured so far, updated by this migration; may be null.
  Pace* pace = nullptr;
  bool untold = false;  // the statuses hold kNotAttempted already
  // Threads that move, the calling one included. Large folios with entries in several parts of the
  // list can be busy more often.
  std::size_t threads = 1;
};

// wanted() is called between chunks, at most once per time slice. If it returns true, the call ends
// early.
struct Pause {
  bool (*wanted)(void* context) noexcept = nullptr;
  void* context = nullptr;
};

struct Outcome {
  long error = 0;            // 0, or the -errno with which a call failed as a whole
  std::size_t refused = 0;   // with `rejected`: the index of the entry whose node was refused
  std::size_t told = 0;      // no page after the first `told` was attempted
  bool rejected = false;     // refused before the kernel was asked: nothing has moved
  bool interrupted = false;  // Pause ended the call
};

// Writes one status per page: the node the page is on, -errno, or kNotAttempted. In a move, only a
// page on its target shows a node.
Outcome move_pages(const Request& request, const Pause& pause, const Kernel& kernel) noexcept;

}  // namespace movepages
