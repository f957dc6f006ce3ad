// One thread's part of a survey, a few huge pages at a time. surveyor.cpp goes through the page
// tables and queries pages, by_number.cpp takes the nodes of small pages from their frame numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "driver/query.hpp"
#include "kernel/memory_blocks.hpp"
#include "survey/survey.hpp"

namespace movepages {

class Surveyor {
 public:
  Surveyor(const SurveyRequest& request, const Kernel& kernel, BlocksOnDemand* blocks)
      : fewest_(request.fewest),
        by_number_(request.by_number),
        ask_small_(request.ask_small),
        in_huge_pages_(request.in_huge_pages),
        other_process_(request.pid != 0),
        kernel_(without_huge_pages(kernel)),
        pagemap_(request.pid),
        query_(request.pid, request.flags, kernel_),
        blocks_(request.by_number > 0 ? blocks : nullptr),
        tells_(kernel.huge_until != nullptr) {}

  // Appends runs for the start of a range, at most a few milliseconds of work, and shortens the
  // range to the rest. Returns 0 or -errno. Throws std::bad_alloc.
  long look(PageRange* rest, std::vector<SurveyRun>* runs);
  // The pages so far that were looked at one by one. Huge and absent pages are not.
  std::size_t small_pages() const noexcept { return small_pages_; }

 private:
  // Scratch buffers for this many pages take 48 KiB, which a processor's nearest caches hold.
  static constexpr std::size_t kAtOnce = 4096;

  long look_by_page_tables(PageRange* rest, std::vector<SurveyRun>* runs, long* unknown);
  long ask_each(PageRange* rest, std::size_t most, std::vector<SurveyRun>* runs);
  long read_each(PageRange* rest, std::size_t most, bool scanned, std::vector<SurveyRun>* runs);
  bool fill_by_number(std::uintptr_t start, std::size_t count, bool scanned);
  long hold_against_call(std::uintptr_t start, std::size_t count, bool* agrees);
  void take(PageRange* rest, std::size_t count, std::vector<SurveyRun>* runs);
  long ask_heads(std::uintptr_t start, std::uintptr_t end, std::vector<SurveyRun>* runs);

  // The walk of the page tables finds the huge pages, so the query need not look for them.
  static Kernel without_huge_pages(Kernel kernel) {
    kernel.huge_until = nullptr;
    return kernel;
  }

  const std::size_t fewest_;
  const std::size_t by_number_;
  const bool ask_small_;
  const bool in_huge_pages_;
  const bool other_process_;
  const Kernel kernel_;
  Pagemap pagemap_;
  Query query_;
  BlocksOnDemand* blocks_;  // null: not wanted, or found to be useless
  bool tells_;
  bool mostly_small_ = false;
  std::size_t small_pages_ = 0;
  std::size_t left_ = 0;  // small pages that this look() may still handle
  std::vector<std::uintptr_t> pages_;
  std::vector<std::int32_t> status_;
  std::vector<std::uint64_t> entries_;
  std::vector<Presence> kinds_;
  std::vector<std::size_t> asked_;
  std::vector<std::int32_t> said_;
  std::size_t small_now_ = 0;  // small pages among those in `kinds_`
  std::size_t unknown_ = 0;    // those of them with an unknown node
  std::uint32_t portions_ = 0;
};

}  // namespace movepages
