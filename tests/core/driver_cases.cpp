// Calls that try every page. Each case checks one fact of the kernel through the driver.
#include <algorithm>
#include <numeric>

#include "cases.hpp"
#include "check.hpp"
#include "trial.hpp"

namespace {

using model::Kernel;
using Statuses = std::vector<std::int32_t>;

void one_pinned_of_twelve() {
  Kernel kernel;
  Trial trial(kernel);
  trial.pages = small_pages(kernel, 12);
  kernel.folio(trial.pages[8]).failures = model::kPinned;
  trial.all = 1;
  trial.run();
  Statuses expected(12, 1);
  expected[8] = -EBUSY;
  CHECK(trial.status == expected && trial.outcome.error == 0);
  CHECK(kernel.moving_calls == 2);
}

void one_pinned_and_a_hole() {
  Kernel kernel;
  Trial trial(kernel);
  trial.pages = small_pages(kernel, 12);
  kernel.folio(trial.pages[2]).failures = model::kPinned;
  trial.pages[5] = kernel.add_absent();
  trial.all = 1;
  trial.run();
  CHECK((trial.status == Statuses{1, 1, -EBUSY, 1, 1, -ENOENT, 1, 1, 1, 1, 1, 1}));
  CHECK(kernel.moving_calls == 3);
}

void each_kind_of_page() {
  for (const model::Version version : {model::k6_1, model::k6_12}) {
    for (const bool all : {false, true}) {
      Kernel kernel(version);
      Trial trial(kernel);
      trial.pages = small_pages(kernel, 5);
      kernel.page(trial.pages[0]).shared = true;
      kernel.folio(trial.pages[1]).failures = model::kPinned;
      kernel.folio(trial.pages[2]).isolable = false;
      kernel.folio(trial.pages[3]).node = 1;
      trial.pages.push_back(kernel.add_absent());
      trial.pages.push_back(0);
      trial.all = 1;
      trial.flags = all ? model::kMoveAll : model::kMove;
      trial.run();
      const Statuses expected = {all ? 1 : -EACCES, -EBUSY, -EBUSY, 1, 1, version.absent, -EFAULT};
      CHECK(trial.status == expected && trial.outcome.error == 0);
    }
  }
}

void full_node() {
  Kernel kernel;
  Trial trial(kernel);
  trial.pages = small_pages(kernel, 100);
  kernel.free[2] = 60;
  trial.all = 2;
  trial.run();
  CHECK(trial.outcome.error == -ENOMEM);
  CHECK(trial.status[59] == 2 && trial.status[60] == -ENOMEM);
}

void a_full_node_keeps_no_page_from_another() {
  Kernel kernel;
  Trial trial(kernel);
  trial.pages = small_pages(kernel, 90);
  for (std::size_t i = 0; i < 90; ++i) trial.each.push_back(i < 30 || i >= 60 ? 2 : 3);
  kernel.free[2] = 20;
  trial.run();
  CHECK(trial.outcome.error == -ENOMEM);
  CHECK(std::count(trial.status.begin(), trial.status.end(), 2) == 20);
  CHECK(std::count(trial.status.begin(), trial.status.end(), 3) == 30);
}

void duplicates() {
  Kernel kernel;
  Trial trial(kernel);
  const auto pages = small_pages(kernel, 3);
  for (int k = 0; k < 4; ++k) trial.pages.insert(trial.pages.end(), pages.begin(), pages.end());
  kernel.folio(pages[1]).failures = model::kPinned;
  trial.all = 1;
  trial.run();
  for (std::size_t i = 0; i < 12; ++i) CHECK(trial.status[i] == (i % 3 == 1 ? -EBUSY : 1));
}

void a_page_fits_at_the_second_try() {
  Kernel kernel;
  Trial trial(kernel);
  trial.pages = small_pages(kernel, 3);
  const auto leaving = small_pages(kernel, 4);
  for (const std::uintptr_t page : leaving) kernel.folio(page).node = 2;
  trial.pages.insert(trial.pages.end(), leaving.begin(), leaving.end());
  trial.pages.push_back(trial.pages[0]);
  trial.each = {2, 2, 2, 3, 3, 3, 3, 2};
  kernel.free[2] = 0;
  trial.run();
  CHECK((trial.status == Statuses{2, -ENOMEM, -ENOMEM, 3, 3, 3, 3, 2}));
}

void memory_is_freed_before_the_second_try() {
  Kernel kernel;
  Trial trial(kernel);
  trial.pages = small_pages(kernel, 2);
  trial.pages = {trial.pages[0], kernel.add_absent(), trial.pages[0], trial.pages[1]};
  kernel.free[1] = -1;
  kernel.freed_per_call = 1;
  trial.all = 1;
  trial.run();
  CHECK((trial.status == Statuses{1, -ENOENT, 1, -ENOMEM}));
}

void pages_vanish_before_the_second_look() {
  for (const bool mixed : {false, true}) {
    Kernel kernel;
    Trial trial(kernel);
    trial.pages = small_pages(kernel, 3);
    kernel.folio(trial.pages[1]).failures = model::kPinned;
    kernel.vanishing = {trial.pages[1]};
    if (mixed) kernel.vanishing.push_back(trial.pages[0]);
    trial.all = 1;
    if (mixed) trial.each = {2, 1, 1};
    trial.run();
    CHECK((trial.status == Statuses{mixed ? -ENOENT : 1, -ENOENT, 1}));
  }
}

void a_kernel_slower_than_a_slice() {
  Kernel kernel;
  kernel.page_ns = 60'000'000;
  Trial trial(kernel);
  trial.pages = small_pages(kernel, 300);
  trial.all = 1;
  trial.run();
  CHECK(trial.status == Statuses(300, 1));
}

void more_pages_than_a_chunk_holds() {
  Kernel kernel;
  Trial trial(kernel);
  trial.pages = small_pages(kernel, 300'000);
  for (std::size_t i = 0; i < trial.pages.size(); i += 1000) {
    kernel.folio(trial.pages[i]).failures = model::kPinned;
  }
  kernel.page_ns = 10;
  trial.all = 1;
  trial.run();
  CHECK(std::count(trial.status.begin(), trial.status.end(), -EBUSY) == 300);
  trial.moves = false;
  trial.run();
  CHECK(std::count(trial.status.begin(), trial.status.end(), 0) == 300);
}

}  // namespace

const Case kDriverCases[] = {
    {"one pinned of twelve", one_pinned_of_twelve},
    {"one pinned and a hole", one_pinned_and_a_hole},
    {"each kind of page", each_kind_of_page},
    {"full node", full_node},
    {"a full node keeps no page from another", a_full_node_keeps_no_page_from_another},
    {"duplicates", duplicates},
    {"a page fits at the second try", a_page_fits_at_the_second_try},
    {"memory is freed before the second try", memory_is_freed_before_the_second_try},
    {"pages vanish before the second look", pages_vanish_before_the_second_look},
    {"a kernel slower than a slice", a_kernel_slower_than_a_slice},
    {"more pages than a chunk holds", more_pages_than_a_chunk_holds},
    {},
};
