// Huge pages as /proc/PID/smaps counts them, for kernels before 6.7, which do not report where they
// are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernel/pagemap.hpp"

namespace movepages {

// Finds the ranges of [first, last) whose memory certainly consists of huge pages, by the counts of
// their mapping: all its memory is in huge pages, or as many huge pages as fit in it are mapped.
// Parts of such a range may have no memory. The counts of a mapping are no snapshot: each huge page
// was whole at some moment of the reading. `path` is an smaps file, which is read up to `last`.
// Returns 0, or the errno of a failure: E2BIG if more than `most` mappings begin before `last`.
// Throws std::bad_alloc.
int huge_ranges_by_count(const char* path, std::uintptr_t first, std::uintptr_t last,
                         std::size_t most, std::vector<Region>* found);

}  // namespace movepages
