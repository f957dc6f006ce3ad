// Several entries for one huge page. Its pieces move together, whichever of them is in the list.
#include <algorithm>

#include "cases.hpp"
#include "check.hpp"
#include "trial.hpp"

namespace {

using model::Kernel;
using Statuses = std::vector<std::int32_t>;

void pieces_of_a_huge_page() {
  Kernel kernel;
  Trial trial(kernel);
  trial.pages = pieces(kernel, {0, 0, 512});
  trial.all = 1;
  trial.run();
  CHECK(trial.status == Statuses(512, 1));
}

void one_pinned_piece_keeps_the_huge_page() {
  Kernel kernel;
  Trial trial(kernel);
  trial.pages = pieces(kernel, {0, 0, 512, model::kPinned});
  trial.all = 1;
  trial.run();
  CHECK(trial.status == Statuses(512, -EBUSY));
}

void huge_page_splits_when_the_node_is_full() {
  Kernel kernel;
  Trial trial(kernel);
  trial.pages = pieces(kernel, {0, 0, 8});
  kernel.free[1] = 3;
  trial.all = 1;
  trial.run();
  CHECK(std::count(trial.status.begin(), trial.status.end(), 1) == 3);
}

// The kernel drops the reason when it splits the page, so the driver asks once more.
void a_piece_tells_that_the_node_is_full() {
  Kernel kernel;
  Trial trial(kernel);
  trial.pages = {pieces(kernel, {0, 0, 8})[3]};
  kernel.free[1] = 0;
  trial.all = 1;
  trial.run();
  CHECK(trial.outcome.error == -ENOMEM && trial.status == Statuses(1, -ENOMEM));
  CHECK(kernel.moving_calls == 2);
}

// The second piece ends the batch of the first, and is busy only because of that.
void every_piece_of_a_few_tells_that_the_node_is_full() {
  Kernel kernel;
  Trial trial(kernel);
  const std::vector<std::uintptr_t> all = pieces(kernel, {0, 0, 8});
  trial.pages = {all[0], all[1], all[5]};
  kernel.free[1] = 0;
  trial.all = 1;
  trial.run();
  CHECK(trial.outcome.error == -ENOMEM && trial.status == Statuses(3, -ENOMEM));
}

void all_pieces_tell_that_the_node_is_full() {
  Kernel kernel;
  kernel.version.splits_when_full = false;
  Trial trial(kernel);
  trial.pages = pieces(kernel, {0, 0, 8});
  kernel.free[1] = 3;
  trial.all = 1;
  trial.run();
  CHECK(trial.outcome.error == -ENOMEM && trial.status == Statuses(8, -ENOMEM));
}

void several_targets_in_a_huge_page() {
  Kernel kernel;
  Trial trial(kernel);
  trial.pages = pieces(kernel, {0, 0, 8});
  trial.each = {1, 2, 1, 3, 1, 2, 2, 3};
  trial.run();
  CHECK((trial.status == Statuses{-EBUSY, -EBUSY, -EBUSY, 3, -EBUSY, -EBUSY, -EBUSY, 3}));
}

void a_huge_page_comes_back_in_another_chunk() {
  Kernel kernel;
  Trial trial(kernel);
  const auto huge = pieces(kernel, {0, 0, 2});
  trial.pages = small_pages(kernel, 700);
  trial.each.assign(700, 1);
  trial.pages[0] = huge[0];
  trial.pages[699] = huge[1];
  trial.each[699] = 2;
  trial.run();
  CHECK(trial.status[0] == -EBUSY && trial.status[699] == 2);
}

// The first try to move the huge page fails, as with a reference held for a moment. A later piece
// moves the whole page.
void a_later_piece_takes_the_page_along() {
  Kernel kernel;
  Trial trial(kernel);
  trial.pages = pieces(kernel, {0, 0, 8, 1});
  trial.all = 1;
  trial.run();
  CHECK(trial.status == Statuses(8, 1));
}

// Nothing moves after the pages of the last target that could take them away.
void no_second_look_at_the_last_target() {
  Kernel kernel;
  Trial trial(kernel);
  trial.pages = small_pages(kernel, 100);
  trial.each.assign(100, 1);
  std::fill(trial.each.begin() + 40, trial.each.end(), 2);
  trial.run();
  CHECK(trial.status == trial.each);
  CHECK(kernel.looked_at == 100 + 40);
}

// Linux 6.1 refuses a tail with the errno of shared pages. Here another call moves the head.
void a_head_takes_its_refused_tail_along() {
  Kernel kernel(model::k6_1);
  Trial trial(kernel);
  const auto huge = pieces(kernel, {0, 0, 2, 0, true});
  const std::uintptr_t pinned = kernel.add({0, 0, 1, model::kPinned});
  trial.pages = {huge[1], pinned, kernel.add_absent(), huge[0]};
  trial.all = 1;
  trial.run();
  CHECK((trial.status == Statuses{1, -EBUSY, -EFAULT, 1}));
}

void a_tail_and_its_head_in_one_call() {
  Kernel kernel(model::k6_1);
  Trial trial(kernel);
  trial.pages = pieces(kernel, {0, 0, 4, 0, true});
  std::reverse(trial.pages.begin(), trial.pages.end());
  trial.all = 1;
  trial.run();
  CHECK(trial.status == Statuses(4, 1));
}

}  // namespace

const Case kHugePageCases[] = {
    {"pieces of a huge page", pieces_of_a_huge_page},
    {"one pinned piece keeps the huge page", one_pinned_piece_keeps_the_huge_page},
    {"huge page splits when the node is full", huge_page_splits_when_the_node_is_full},
    {"a piece tells that the node is full", a_piece_tells_that_the_node_is_full},
    {"every piece of a few tells that the node is full",
     every_piece_of_a_few_tells_that_the_node_is_full},
    {"all pieces tell that the node is full", all_pieces_tell_that_the_node_is_full},
    {"several targets in a huge page", several_targets_in_a_huge_page},
    {"a huge page comes back in another chunk", a_huge_page_comes_back_in_another_chunk},
    {"a later piece takes the page along", a_later_piece_takes_the_page_along},
    {"no second look at the last target", no_second_look_at_the_last_target},
    {"a head takes its refused tail along", a_head_takes_its_refused_tail_along},
    {"a tail and its head in one call", a_tail_and_its_head_in_one_call},
    {},
};
