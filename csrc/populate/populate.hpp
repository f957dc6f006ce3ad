// Allocates the pages of address ranges on chosen nodes, with several threads.
//
// Each thread binds itself to the node of its pages, so that no other node ever has one of them,
// and no mapping gets a policy or is split. A thread that is bound to a full node would wake the
// out-of-memory killer, so each asks for the room that is left before every part. A thread that
// interleaves turns to other nodes if a node is full all the same: the caller has to look.
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

// The pages of one node, or of several that take turns by page number, as the kernel interleaves.
struct NodeShare {
  // Ascending; none: by the policies of the memory and of the calling thread.
  std::vector<std::int32_t> nodes;
  std::vector<std::int64_t> reserves;  // bytes of each that look free, but cannot be had
  std::vector<ByteRange> ranges;
  std::vector<int> cpus;  // where threads of this share run; empty: where the calling thread may
  unsigned threads = 0;   // threads to start; 0: the calling thread does the work
};

struct Populated {
  long error = 0;          // 0, or -errno
  std::int32_t node = -1;  // with an error: where it occurred, if that is known
  bool full = false;       // the node has too little room left, and the kernel was not asked
  bool interrupted = false;
};

// Throws std::bad_alloc. All threads have ended when it returns.
Populated populate(const std::vector<NodeShare>& shares, const Pause& pause);

}  // namespace movepages
