// Where the memory of an address range is, as runs and not page by page: the page tables tell what
// is there, and the kernel is asked once for each huge page, for each other page, and for no hole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "driver/migrate.hpp"
#include "survey/presence.hpp"

namespace movepages {

// Neighbouring pages of one status. What is on no node by the page tables alone was not asked for:
// its status is kNotAttempted, and `what` tells. A stretch that was not looked at any more because
// the survey ended early is kNotAttempted too, and a kPage.
struct SurveyRun {
  std::uintptr_t start;
  std::size_t pages;
  std::int32_t status;
  Presence what;
};

// Pages in a row.
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
  std::size_t fewest = 0;  // pages in a row that are worth a look at the page tables
  // Small pages in a row whose nodes are worth taking from the numbers of their frames, where these
  // may be read; 0: never.
  std::size_t by_number = 0;
  // Without it, small pages that the page tables show are left out: kNotAttempted, and a kPage.
  bool ask_small = true;
};

// Runs in the order of the ranges, which together they cover.
Outcome survey(const SurveyRequest& request, const Pause& pause, const Kernel& kernel,
               std::vector<SurveyRun>* runs) noexcept;

}  // namespace movepages
