// Allocates the pages of address ranges on chosen nodes, with several threads.
//
// Each thread binds itself to the node of its pages, so that no other node ever has one of them,
// and no mapping gets a policy or is split. A thread that is bound to a full node would wake the
// out-of-memory killer, so each asks for the room that is left before every part.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "driver/migrate.hpp"

namespace movepages {

struct ByteRange {
  std::uintptr_t start = 0;
  std::size_t bytes = 0;
};

// The pages of one node.
struct NodeShare {
  std::int32_t node = -1;  // negative: by the policies of the memory and of the calling thread
  std::vector<ByteRange> ranges;
  std::vector<int> cpus;     // where threads of this share run; empty: where the calling thread may
  unsigned threads = 0;      // threads to start; 0: the calling thread does the work
  std::int64_t reserve = 0;  // bytes that look free on the node, but cannot be had
};

struct Populated {
  long error = 0;         // 0, or -errno
  std::size_t share = 0;  // with an error: where it occurred
  bool full = false;      // the node has too little room left, and the kernel was not asked
  bool interrupted = false;
};

// `fresh` is writable private memory: short ranges within it are touched instead of asking the
// kernel for each, which takes a third less time. Throws std::bad_alloc. All threads have ended
// when it returns.
Populated populate(const std::vector<NodeShare>& shares, const ByteRange& fresh,
                   const Pause& pause);

}  // namespace movepages
