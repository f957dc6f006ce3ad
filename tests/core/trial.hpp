// One call of the driver over the model kernel, and the check that everything it said is true.
#pragma once

#include <cstdint>
#include <vector>

#include "model_kernel.hpp"

// Addresses of new pages on node 0, and of all pieces of one new folio.
std::vector<std::uintptr_t> small_pages(model::Kernel& kernel, std::size_t count);
std::vector<std::uintptr_t> pieces(model::Kernel& kernel, const model::Folio& folio);

// What a status is before the driver comes.
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
  bool scattered = false;  // what an interrupted query did is not what the list begins with
  int flags = 2;
  int pid = 0;
  movepages::Pace* pace = nullptr;
  bool untold = false;    // the statuses hold what stands for no attempt already
  long pause_after = -1;  // how often Pause is asked before it wants the end; -1: it never does

  std::vector<std::int32_t> status;
  movepages::Outcome outcome;
  long pauses = 0;  // how often it was asked
  std::int64_t longest_slice_ns = 0;
  std::int32_t last_when_stopped = 0;  // the last status when Pause wanted the end

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
