// The fixed cost of a moving call, and how many pages the driver puts into each call.
#include <algorithm>
#include <vector>

#include "cases.hpp"
#include "check.hpp"
#include "trial.hpp"

namespace {

using model::Kernel;
using movepages::Pace;

constexpr std::int64_t kMs = 1'000'000;
constexpr std::size_t kPages = 1 << 18;
// The number of pages that mp.move() passes to one run of the driver.
constexpr std::size_t kSlicePages = 1 << 17;

std::int64_t time_of(Trial& trial) {
  const std::int64_t before = trial.kernel.clock_ns;
  trial.run();
  CHECK(trial.outcome.error == 0 && !trial.outcome.interrupted);
  return trial.kernel.clock_ns - before;
}

std::int64_t one_big_call(const Kernel& kernel, std::size_t pages) {
  return kernel.call_ns + kernel.page_ns * static_cast<std::int64_t>(pages);
}

void a_fixed_cost_is_paid_a_few_times() {
  for (const std::int64_t fixed_ms : {0, 1, 5, 12, 20, 25, 26, 50, 75, 100}) {
    for (const std::int64_t page_ns : {2'000, 10'000, 100'000}) {
      for (const std::int64_t noise : {0, 10}) {
        Kernel kernel;
        kernel.call_ns = fixed_ms * kMs;
        kernel.page_ns = page_ns;
        kernel.noise_percent = noise;
        Trial trial(kernel);
        trial.pages = small_pages(kernel, kPages);
        trial.all = 1;
        const std::int64_t took = time_of(trial);
        CHECK(took <= 2 * one_big_call(kernel, kPages));
        CHECK(trial.longest_slice_ns <=
              std::max((noise == 0 ? 75 : 150) * kMs, 6 * kernel.call_ns));
      }
    }
  }
}

void a_fixed_cost_is_paid_once_a_slice() {
  for (const std::int64_t fixed_ms : {0, 1, 26, 100}) {
    Kernel kernel;
    kernel.call_ns = fixed_ms * kMs;
    kernel.page_ns = 2'000;
    Trial trial(kernel);
    Pace pace;
    trial.pace = &pace;
    trial.all = 1;
    std::int64_t took = 0;
    for (std::size_t done = 0; done < kPages; done += kSlicePages) {
      trial.pages = small_pages(kernel, kSlicePages);
      took += time_of(trial);
    }
    CHECK(took <= 2 * one_big_call(kernel, kPages));
  }
}

// The cost of a call is unknown at first, as in a new thread, and estimated from slice to slice.
struct Costs {
  std::int64_t took = 0;
  std::int64_t longest_slice_ns = 0;
};

Costs costs_of_slices(Kernel& kernel, const std::vector<std::uintptr_t>& pages) {
  Costs costs;
  Pace pace;
  Trial trial(kernel);
  trial.pace = &pace;
  trial.all = 1;
  for (std::size_t done = 0; done < pages.size(); done += trial.pages.size()) {
    const std::size_t end = std::min(pages.size(), done + kSlicePages);
    trial.pages.assign(pages.begin() + static_cast<std::ptrdiff_t>(done),
                       pages.begin() + static_cast<std::ptrdiff_t>(end));
    costs.took += time_of(trial);
    costs.longest_slice_ns = std::max(costs.longest_slice_ns, trial.longest_slice_ns);
  }
  return costs;
}

constexpr std::int64_t kFixedNs[] = {155'000, kMs, 5 * kMs, 26 * kMs};

void any_number_of_small_pages_takes_twice_one_call_at_most() {
  for (const std::int64_t fixed_ns : kFixedNs) {
    for (const std::int64_t page_ns : {500, 1'000, 2'000, 20'000}) {
      for (const std::size_t count : {1'000, 5'000, 20'000, 66'000, 200'000}) {
        Kernel kernel;
        kernel.call_ns = fixed_ns;
        kernel.page_ns = page_ns;
        const Costs costs = costs_of_slices(kernel, small_pages(kernel, count));
        CHECK(costs.took <= 2 * one_big_call(kernel, count));
        CHECK(costs.longest_slice_ns <= std::max(51 * kMs, 3 * fixed_ns + kMs));
      }
    }
  }
}

void any_number_of_huge_pages_takes_twice_one_call_at_most() {
  for (const std::int64_t fixed_ns : kFixedNs) {
    for (const std::int64_t page_ns : {50'000, 200'000, 500'000}) {
      for (const std::size_t count : {10, 100, 1'000, 5'000}) {
        for (const bool each_piece : {false, true}) {
          Kernel kernel;
          kernel.call_ns = fixed_ns;
          kernel.page_ns = page_ns;
          Trial trial(kernel);
          trial.all = 1;
          for (std::size_t k = 0; k < count; ++k) {
            const std::uintptr_t head = kernel.add_huge({});
            const std::size_t listed = each_piece ? model::kHugePagePages : 1;
            for (std::size_t i = 0; i < listed; ++i) trial.pages.push_back(Kernel::piece(head, i));
          }
          const std::int64_t took = time_of(trial);
          CHECK(took <= 2 * one_big_call(kernel, count));
          CHECK(trial.longest_slice_ns <= 129 * kMs + fixed_ns);
        }
      }
    }
  }
}

// The first pages are in place, as where an earlier move was interrupted.
void quick_pages_first_lead_to_no_long_call() {
  for (const std::int64_t fixed_ns : kFixedNs) {
    for (const std::int64_t slow_ns : {500, 1'000, 1'800}) {
      Kernel kernel;
      kernel.call_ns = fixed_ns;
      kernel.page_ns = 200;
      const std::vector<std::uintptr_t> pages = small_pages(kernel, kSlicePages);
      kernel.slow_from = pages[Pace::kFirst];
      kernel.slow_ns = slow_ns;
      CHECK(costs_of_slices(kernel, pages).longest_slice_ns <= 55 * kMs + 4 * fixed_ns);
    }
  }
}

// The time for which other threads run must not be taken for the fixed cost of a call.
void calls_stay_short_on_a_busy_machine() {
  for (const std::int64_t fixed_ns : kFixedNs) {
    for (const std::int64_t kept_waiting_percent : {20, 50, 75}) {
      Kernel kernel;
      kernel.call_ns = fixed_ns;
      kernel.page_ns = 2'000;
      kernel.kept_waiting_percent = kept_waiting_percent;
      const Costs costs = costs_of_slices(kernel, small_pages(kernel, kPages));
      CHECK(costs.took <= 2 * one_big_call(kernel, kPages));
      const std::int64_t runs_percent = 100 - kept_waiting_percent;
      const std::int64_t runs_ns = std::max(movepages::kSliceNs, 2 * fixed_ns);
      CHECK(costs.longest_slice_ns <= 100 * runs_ns / runs_percent + 2 * fixed_ns + 25 * kMs);
    }
  }
}

// Small pages lead to calls of tens of thousands of entries. Huge pages follow, one entry each.
void no_call_is_for_seconds_of_huge_pages() {
  constexpr std::size_t kHugePage = 512;
  for (const std::int64_t fixed_ns : {std::int64_t{155'000}, 26 * kMs}) {
    Kernel kernel;
    kernel.version.tells_huge_pages = false;
    kernel.huge_page_bytes = kHugePage * model::kPageBytes;
    kernel.call_ns = fixed_ns;
    Trial trial(kernel);
    trial.pages = small_pages(kernel, 100'000);
    kernel.slow_from = trial.pages.back() + 1;
    kernel.slow_ns = kMs / 2;
    for (int k = 0; k < 2000; ++k) {
      while (kernel.pages() % kHugePage != 0) kernel.add_absent();
      trial.pages.push_back(kernel.add({}));
    }
    trial.all = 1;
    const std::int64_t took = time_of(trial);
    CHECK(trial.longest_slice_ns <= 250 * kMs);
    CHECK(took <= 2 * (one_big_call(kernel, trial.pages.size()) + 2000 * kernel.slow_ns));
  }
}

// Each page is in a huge-page-aligned range of its own. Only the times show that none is huge.
void pages_far_apart_get_long_calls_too() {
  Kernel kernel;
  kernel.version.tells_huge_pages = false;
  kernel.huge_page_bytes = 8 * model::kPageBytes;
  kernel.call_ns = 26 * kMs;
  Trial trial(kernel);
  for (const std::uintptr_t page : small_pages(kernel, kPages)) {
    if (page / model::kPageBytes % 8 == 0) trial.pages.push_back(page);
  }
  trial.all = 1;
  CHECK(time_of(trial) <= 5 * one_big_call(kernel, trial.pages.size()));
}

// The load that makes calls expensive comes and goes.
void a_fixed_cost_that_changes() {
  Kernel kernel;
  Trial trial(kernel);
  Pace pace;
  trial.pace = &pace;
  trial.all = 1;
  for (const std::int64_t fixed_ms : {0, 40, 1, 90, 26, 0}) {
    kernel.call_ns = fixed_ms * kMs;
    kernel.page_ns = 2'000;
    trial.pages = small_pages(kernel, kPages);
    CHECK(time_of(trial) <= 2 * one_big_call(kernel, kPages));
  }
}

}  // namespace

const Case kPaceCases[] = {
    {"a fixed cost is paid a few times", a_fixed_cost_is_paid_a_few_times},
    {"a fixed cost is paid once a slice", a_fixed_cost_is_paid_once_a_slice},
    {"any number of small pages takes twice one call at most",
     any_number_of_small_pages_takes_twice_one_call_at_most},
    {"any number of huge pages takes twice one call at most",
     any_number_of_huge_pages_takes_twice_one_call_at_most},
    {"quick pages first lead to no long call", quick_pages_first_lead_to_no_long_call},
    {"calls stay short on a busy machine", calls_stay_short_on_a_busy_machine},
    {"no call is for seconds of huge pages", no_call_is_for_seconds_of_huge_pages},
    {"pages far apart get long calls too", pages_far_apart_get_long_calls_too},
    {"a fixed cost that changes", a_fixed_cost_that_changes},
    {},
};
