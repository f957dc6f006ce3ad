// Finds the nodes of the pages in address ranges, as runs. The page tables show which pages exist.
// The kernel is asked once for each huge page and once for each other page, never for a hole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "driver/migrate.hpp"
#include "survey/runs.hpp"

namespace movepages {

// Consecutive pages.
struct PageRange {
  std::uintptr_t start;
  std::size_t pages;
};

struct SurveyRequest {
  int pid = 0;
  int flags = 0;
  const PageRange* ranges = nullptr;
  std::size_t count = 0;
  unsigned threads = 1;    // at most
  std::size_t fewest = 0;  // fewest consecutive pages for which the page tables are read
  // The fewest consecutive small pages whose nodes are taken from their frame numbers, if these can
  // be read; 0: never.
  std::size_t by_number = 0;
  // If false, small pages found in the page tables are not queried: they get kNotAttempted and
  // kPage.
  bool ask_small = true;
  // Whether the ranges consist of huge pages, as the caller knows. They need not start or end with
  // a whole one.
  bool in_huge_pages = false;
};

// Appends runs in the order of the ranges; together they cover the ranges.
Outcome survey(const SurveyRequest& request, const Pause& pause, const Kernel& kernel,
               std::vector<SurveyRun>* runs) noexcept;

}  // namespace movepages
