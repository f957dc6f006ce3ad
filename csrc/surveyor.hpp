// The part of a survey that one thread makes: a few frames at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "query.hpp"
#include "survey.hpp"

namespace movepages {

class Surveyor {
 public:
  // A look at the page tables of less than `fewest` pages does not pay.
  Surveyor(int pid, int flags, std::size_t fewest, const Kernel& kernel)
      : fewest_(fewest),
        other_process_(pid != 0),
        kernel_(without_huge_pages(kernel)),
        pagemap_(pid),
        query_(pid, flags, kernel_),
        tells_(kernel.huge_until != nullptr) {}

  // Appends the runs of a range. 0 or -errno. Throws std::bad_alloc.
  long look(const PageRange& range, std::vector<SurveyRun>* runs);

 private:
  long look_by_page_tables(const PageRange& range, std::vector<SurveyRun>* runs, long* unknown);
  long ask_each(std::uintptr_t start, std::size_t pages, std::vector<SurveyRun>* runs);
  long ask_heads(std::uintptr_t start, std::uintptr_t end, std::vector<SurveyRun>* runs);

  // The walk knows where they are: the query need not look for them.
  static Kernel without_huge_pages(Kernel kernel) {
    kernel.huge_until = nullptr;
    return kernel;
  }

  const std::size_t fewest_;
  const bool other_process_;
  const Kernel kernel_;
  Pagemap pagemap_;
  Query query_;
  bool tells_;
  std::vector<std::uintptr_t> pages_;
  std::vector<std::int32_t> status_;
};

}  // namespace movepages
