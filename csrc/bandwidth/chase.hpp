// Measures how long a load takes that nothing else overlaps with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bandwidth/team.hpp"

namespace movepages {

// What one CPU found.
struct ChaseTime {
  double best_ns = 0;       // for each load, in the fastest stretch of loads
  std::size_t steps = 0;    // loads in all
  std::uintptr_t last = 0;  // the line that the last load found
};

struct ChaseTimes {
  Team::Ended ended;  // its index is that of a CPU
  std::vector<ChaseTime> found;
};

// Links the cache lines of a range into one random cycle: the first word of each line becomes the
// address of another. Then one CPU after the other follows it, each from where the one before
// ended, for `least_ns` or once around. `memory` begins at a multiple of `line`, which is 8 or
// more, and holds two lines or more. Throws std::bad_alloc.
ChaseTimes measure_chase(unsigned char* memory, std::size_t bytes, std::size_t line,
                         const std::vector<int>& cpus, std::int64_t least_ns, std::uint64_t seed,
                         const Pause& pause);

}  // namespace movepages
