// Runs of pages, as a survey finds them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernel/pagemap.hpp"
#include "survey/presence.hpp"

namespace movepages {

// Adjacent pages with one status. If the page tables show that pages are on no node, the kernel is
// not asked: their status is kNotAttempted and `what` says why. If the survey ends early, the rest
// is kNotAttempted and kPage.
struct SurveyRun {
  std::uintptr_t start;
  std::size_t pages;
  std::int32_t status;
  Presence what;
};

// Adds a run at the end, or to the last run if it continues that.
inline void append(std::vector<SurveyRun>* runs, const SurveyRun& run) {
  if (!runs->empty()) {
    SurveyRun& last = runs->back();
    const bool same = last.status == run.status && last.what == run.what;
    if (same && last.start + last.pages * page_bytes() == run.start) {
      last.pages += run.pages;
      return;
    }
  }
  runs->push_back(run);
}

}  // namespace movepages
