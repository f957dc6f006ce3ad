// One call of the driver on the model kernel, and the check that all its answers are true.
#pragma once

#include <cstdint>
#include <vector>

#include "model_kernel.hpp"

// Return the addresses of new pages on node 0, and of all pieces of one new folio.
std::vector<std::uintptr_t> small_pages(model::Kernel& kernel, std::size_t count);
std::vector<std::uintptr_t> pieces(model::Kernel& kernel, const model::Folio& folio);
// Returns every piece of new huge pages on node 0.
std::vector<std::uintptr_t> huge_pages(model::Kernel& kernel, std::size_t count, int failures = 0);

// The value of each status before the driver runs.
constexpr std::int32_t kUnwritten = 77;

struct Trial {
  explicit Trial(model::Kernel& kernel) : kernel(kernel) {}

  // Runs the driver and checks every status and the outcome against the kernel's truth.
  void run();

  std::int32_t wanted(std::size_t i) const { return each.empty() ? all : each[i]; }

  model::Kernel& kernel;
  std::vector<std::uintptr_t> pages;
  std::vector<std::int32_t> each;  // empty: `all`
  std::int32_t all = 0;
  bool moves = true;
  bool scattered = false;  // an interrupted query need not have answered the start of the list
  int flags = 2;
  int pid = 0;
  movepages::Pace* pace = nullptr;
  std::size_t threads = 1;
  bool untold = false;    // the statuses hold kNotAttempted already
  long pause_after = -1;  // Pause lets the run go on this often, then ends it; -1: never

  std::vector<std::int32_t> status;
  movepages::Outcome outcome;
  long pauses = 0;  // number of calls of Pause
  std::int64_t longest_slice_ns = 0;
  std::int32_t last_when_stopped = 0;  // the last status when Pause ended the run

 private:
  static bool asked(void* context) noexcept;
  void check_outcome() const;
  void check_query() const;
  void check_page(std::size_t i) const;
  std::int32_t place(std::size_t i) const;
  bool nothing_keeps(std::size_t i) const;
  bool failed_for(std::int32_t said, model::Entry entry) const;

  std::vector<bool> was_huge_;
  bool stopped_ = false;
  long moving_calls_when_stopped_ = 0;
  std::int64_t last_pause_ns_ = 0;
};
