// Measures how fast several threads read, write or copy memory together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bandwidth/team.hpp"

namespace movepages {

enum class Traffic { kRead, kWrite, kCopy };

// The memory of one thread: a multiple of kStride in size and address.
struct TrafficPart {
  unsigned char* memory = nullptr;
  const unsigned char* source = nullptr;  // where a copy comes from
  std::size_t bytes = 0;
  int cpu = 0;
};

struct TrafficTime {
  Team::Ended ended;
  std::int64_t best_ns = 0;  // of the fastest round, from the first start to the last end
  std::size_t rounds = 0;
  std::vector<std::uint64_t> sums;  // of the words that each thread read, or has in its memory now
};

// Repeats rounds, three at least, until `least_ns` have passed. Throws std::bad_alloc.
TrafficTime measure_traffic(Traffic kind, const std::vector<TrafficPart>& parts,
                            std::int64_t least_ns, const Pause& pause);

}  // namespace movepages
