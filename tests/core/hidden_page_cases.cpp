// Pages under NUMA hinting faults, which a kernel before 6.6 reports as absent.
#include <algorithm>

#include "cases.hpp"
#include "check.hpp"
#include "kernel/hidden.hpp"
#include "trial.hpp"

namespace {

using model::Kernel;
using Statuses = std::vector<std::int32_t>;

void hidden_pages_are_found() {
  Kernel kernel(model::k6_1);
  Trial trial(kernel);
  trial.pages = small_pages(kernel, 300);
  for (const std::uintptr_t page : trial.pages) kernel.hide(page, 1);
  trial.moves = false;
  trial.run();
  CHECK(trial.status == Statuses(300, 0));
}

void hidden_pages_move() {
  for (const int times : {1, 2, 3}) {
    Kernel kernel(model::k6_1);
    Trial trial(kernel);
    trial.pages = small_pages(kernel, 600);
    for (std::size_t i = 0; i < 600; i += 3) kernel.hide(trial.pages[i], times);
    trial.all = 1;
    trial.run();
    CHECK(trial.status == Statuses(600, 1));
    CHECK(kernel.moving_calls < 30);
  }
}

void a_page_that_stays_hidden_is_busy() {
  Kernel kernel(model::k6_1);
  Trial trial(kernel);
  trial.pages = small_pages(kernel, 3);
  kernel.hide(trial.pages[1], 1000);
  trial.all = 1;
  trial.run();
  CHECK((trial.status == Statuses{1, -EBUSY, 1}));
}

void those_of_another_process_are_told_and_not_touched() {
  Kernel kernel(model::k6_1);
  Trial trial(kernel);
  trial.pages = small_pages(kernel, 3);
  kernel.hide(trial.pages[1], 1);
  trial.pid = 4711;
  trial.moves = false;
  trial.run();
  CHECK((trial.status == Statuses{0, movepages::kHidden, 0}));
  CHECK(kernel.page(trial.pages[1]).hinting);
}

void those_of_another_process_move() {
  Kernel kernel(model::k6_1);
  Trial trial(kernel);
  trial.pages = small_pages(kernel, 3);
  kernel.hide(trial.pages[1], 1);
  trial.pid = 4711;
  trial.all = 1;
  trial.run();
  CHECK((trial.status == Statuses(3, 1)));
}

// The call for pages that were hidden can stop early, as any other. That must not mark the pages it
// did not try as busy.
void a_failed_batch_of_hidden_pages() {
  Kernel kernel(model::k6_1);
  Trial trial(kernel);
  trial.pages = small_pages(kernel, 6);
  for (const std::uintptr_t page : trial.pages) kernel.hide(page, 1);
  kernel.folio(trial.pages[0]).failures = model::kPinned;
  kernel.page(trial.pages[2]).shared = true;
  kernel.folio(trial.pages[4]).isolable = false;
  trial.all = 1;
  trial.run();
  CHECK((trial.status == Statuses{-EBUSY, 1, -EACCES, 1, -EBUSY, 1}));
}

void hidden_pages_for_several_nodes() {
  Kernel kernel(model::k6_1);
  Trial trial(kernel);
  trial.pages = small_pages(kernel, 6);
  for (const std::uintptr_t page : trial.pages) kernel.hide(page, 1);
  trial.each = {1, 1, 2, 2, 3, 3};
  kernel.free[1] = 1;
  trial.run();
  CHECK((trial.status == Statuses{1, -ENOMEM, 2, 2, 3, 3}));
}

void a_hidden_head_takes_its_refused_tail_along() {
  Kernel kernel(model::k6_1);
  Trial trial(kernel);
  trial.pages = pieces(kernel, {0, 0, 2, 0, true});
  kernel.hide(trial.pages[0], 1);
  std::reverse(trial.pages.begin(), trial.pages.end());
  trial.all = 1;
  trial.run();
  CHECK(trial.status == Statuses(2, 1));
}

void pieces_of_a_hidden_huge_page() {
  Kernel kernel(model::k6_1);
  Trial trial(kernel);
  trial.pages = pieces(kernel, {0, 0, 512});
  for (const std::uintptr_t page : trial.pages) kernel.hide(page, 1);
  trial.all = 1;
  trial.run();
  CHECK(trial.status == Statuses(512, 1));
  CHECK(kernel.moving_calls < 20);
}

}  // namespace

const Case kHiddenPageCases[] = {
    {"hidden pages are found", hidden_pages_are_found},
    {"hidden pages move", hidden_pages_move},
    {"a page that stays hidden is busy", a_page_that_stays_hidden_is_busy},
    {"those of another process are told and not touched",
     those_of_another_process_are_told_and_not_touched},
    {"those of another process move", those_of_another_process_move},
    {"a failed batch of hidden pages", a_failed_batch_of_hidden_pages},
    {"hidden pages for several nodes", hidden_pages_for_several_nodes},
    {"a hidden head takes its refused tail along", a_hidden_head_takes_its_refused_tail_along},
    {"pieces of a hidden huge page", pieces_of_a_hidden_huge_page},
    {},
};
