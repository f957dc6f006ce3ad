// The fixed cost of a moving call, and how many pages the driver puts into each call.
#include <algorithm>

#include "cases.hpp"
#include "check.hpp"
#include "trial.hpp"

namespace {

using model::Kernel;
using movepages::Pace;

constexpr std::int64_t kMs = 1'000'000;
constexpr std::size_t kPages = 1 << 18;
// The number of pages that mp.move() passes to one run of the driver.
constexpr std::size_t kSlicePages = 1 << 16;

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
    {"no call is for seconds of huge pages", no_call_is_for_seconds_of_huge_pages},
    {"pages far apart get long calls too", pages_far_apart_get_long_calls_too},
    {"a fixed cost that changes", a_fixed_cost_that_changes},
    {},
};
