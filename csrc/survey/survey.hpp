// The nodes of the pages in address ranges, as runs. The page tables tell which pages exist; the
// kernel is asked once for each huge page and for each other page, and never for a hole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "driver/migrate.hpp"
#include "survey/presence.hpp"

namespace movepages {

// Neighbouring pages of one status. Where the page tables show that there is no node, the kernel is
// not asked: the status is kNotAttempted and `what` says why. If the survey ends early, the rest is
// kNotAttempted and kPage.
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
  // The fewest small pages in a row whose nodes are worth taking from their frame numbers, where
  // these may be read; 0: never.
  std::size_t by_number = 0;
  // If false, small pages that the page tables show are not asked for: kNotAttempted and kPage.
  bool ask_small = true;
};

// Runs in the order of the ranges, which together they cover.
Outcome survey(const SurveyRequest& request, const Pause& pause, const Kernel& kernel,
               std::vector<SurveyRun>* runs) noexcept;

}  // namespace movepages
