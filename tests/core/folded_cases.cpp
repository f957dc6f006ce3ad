// Huge pages that the page tables show: one entry stands for all pieces.
#include <algorithm>

#include "cases.hpp"
#include "check.hpp"
#include "trial.hpp"

namespace {

using model::Kernel;
using model::kHugePagePages;
using Statuses = std::vector<std::int32_t>;

void one_question_for_a_huge_page() {
  for (const std::size_t count : {1, 2, 64, 65, 200}) {
    Kernel kernel;
    Trial trial(kernel);
    trial.pages = huge_pages(kernel, count);
    trial.moves = false;
    trial.run();
    CHECK(trial.status == Statuses(count * kHugePagePages, 0));
    CHECK(kernel.looked_at == static_cast<long>(count));
  }
}

void one_entry_moves_a_huge_page() {
  for (const std::size_t count : {1, 2, 64, 65, 200, 256, 257, 768}) {
    Kernel kernel;
    Trial trial(kernel);
    trial.pages = huge_pages(kernel, count);
    trial.all = 1;
    trial.run();
    CHECK(trial.status == Statuses(count * kHugePagePages, 1));
    CHECK(kernel.looked_at == static_cast<long>(count));
    // The first call is small, because the cost of a huge page is unknown.
    CHECK(kernel.moving_calls == (count <= movepages::Pace::kFirst ? 1 : 2));
  }
}

void between_other_pages() {
  Kernel kernel;
  Trial trial(kernel);
  for (int n = 0; n < 3; ++n) {
    for (const std::uintptr_t page : small_pages(kernel, 5)) trial.pages.push_back(page);
    for (const std::uintptr_t page : huge_pages(kernel, 2)) trial.pages.push_back(page);
  }
  for (const std::uintptr_t page : small_pages(kernel, 1)) trial.pages.push_back(page);
  trial.all = 2;
  trial.run();
  CHECK(trial.status == Statuses(trial.pages.size(), 2));
  CHECK(kernel.looked_at == 3 * 7 + 1);
}

void a_part_of_a_huge_page_in_any_order() {
  Kernel kernel;
  Trial trial(kernel);
  trial.pages = huge_pages(kernel, 2);
  trial.pages.erase(trial.pages.begin() + 28, trial.pages.end());
  std::reverse(trial.pages.begin(), trial.pages.end());
  trial.all = 1;
  trial.run();
  CHECK(trial.status == Statuses(28, 1));
  CHECK(kernel.looked_at == 2);
}

void a_pinned_one_is_busy_in_every_piece() {
  Kernel kernel;
  Trial trial(kernel);
  trial.pages = huge_pages(kernel, 1, model::kPinned);
  for (const std::uintptr_t page : huge_pages(kernel, 1)) trial.pages.push_back(page);
  trial.all = 1;
  trial.run();
  for (std::size_t i = 0; i < trial.pages.size(); ++i) {
    CHECK(trial.status[i] == (i < kHugePagePages ? -EBUSY : 1));
  }
}

// Its reference is gone when the driver moves it a second time.
void a_busy_one_moves_when_asked_why() {
  Kernel kernel;
  Trial trial(kernel);
  trial.pages = huge_pages(kernel, 1, 1);
  trial.all = 1;
  trial.run();
  CHECK(trial.status == Statuses(kHugePagePages, 1));
}

void one_that_splits_has_pieces_on_two_nodes() {
  for (const long room : {0, 1, 3, 15}) {
    Kernel kernel;
    Trial trial(kernel);
    trial.pages = huge_pages(kernel, 2);
    kernel.free[1] = room;
    trial.all = 1;
    trial.run();
    CHECK(std::count(trial.status.begin(), trial.status.end(), 1) == room);
    CHECK(std::count(trial.status.begin(), trial.status.end(), -ENOMEM) == 32 - room);
    CHECK(trial.outcome.error == -ENOMEM);
  }
}

// The status of a head holds for its pieces only as long as the huge page is whole.
void one_that_splits_before_a_call_fails() {
  for (const long room : {0, 1, 3, 15}) {
    for (long call = 2; call < 10; ++call) {
      Kernel kernel;
      kernel.fails_from = call;
      Trial trial(kernel);
      trial.pages = huge_pages(kernel, 2);
      kernel.free[1] = room;
      trial.all = 1;
      trial.run();
      CHECK(std::count(trial.status.begin(), trial.status.end(), 1) <= room);
    }
  }
}

void one_that_does_not_split_stays_whole() {
  Kernel kernel;
  kernel.version.splits_when_full = false;
  Trial trial(kernel);
  trial.pages = huge_pages(kernel, 2);
  kernel.free[1] = kHugePagePages + 3;
  trial.all = 1;
  trial.run();
  CHECK(std::count(trial.status.begin(), trial.status.end(), 1) == kHugePagePages);
  CHECK(std::count(trial.status.begin(), trial.status.end(), -ENOMEM) == kHugePagePages);
}

void two_targets_in_one() {
  Kernel kernel;
  Trial trial(kernel);
  trial.pages = huge_pages(kernel, 2);
  trial.each.assign(32, 1);
  std::fill(trial.each.begin() + 8, trial.each.begin() + 16, 2);
  trial.run();
  for (std::size_t i = 0; i < 32; ++i) {
    CHECK(trial.status[i] == (i < 8 ? -EBUSY : i < 16 ? 2 : 1));
  }
}

void a_kernel_that_does_not_tell() {
  Kernel kernel;
  kernel.version.tells_huge_pages = false;
  Trial trial(kernel);
  trial.pages = huge_pages(kernel, 2);
  trial.moves = false;
  trial.run();
  CHECK(trial.status == Statuses(32, 0) && kernel.looked_at == 32);
}

}  // namespace

const Case kFoldedCases[] = {
    {"one question for a huge page", one_question_for_a_huge_page},
    {"one entry moves a huge page", one_entry_moves_a_huge_page},
    {"between other pages", between_other_pages},
    {"a part of a huge page in any order", a_part_of_a_huge_page_in_any_order},
    {"a pinned one is busy in every piece", a_pinned_one_is_busy_in_every_piece},
    {"a busy one moves when asked why", a_busy_one_moves_when_asked_why},
    {"one that splits has pieces on two nodes", one_that_splits_has_pieces_on_two_nodes},
    {"one that splits before a call fails", one_that_splits_before_a_call_fails},
    {"one that does not split stays whole", one_that_does_not_split_stays_whole},
    {"two targets in one", two_targets_in_one},
    {"a kernel that does not tell", a_kernel_that_does_not_tell},
    {},
};
