// A list that several threads move.
#include <algorithm>

#include "cases.hpp"
#include "check.hpp"
#include "trial.hpp"

namespace {

using model::Kernel;
using model::kHugePagePages;
using movepages::kNotAttempted;
using Statuses = std::vector<std::int32_t>;

void each_moves_a_part() {
  for (const std::size_t threads : {2, 3, 7}) {
    Kernel kernel;
    Trial trial(kernel);
    trial.pages = small_pages(kernel, 240);
    trial.all = 1;
    trial.threads = threads;
    trial.run();
    CHECK(trial.status == Statuses(240, 1));
    CHECK(kernel.moving_calls > 1 && kernel.moving_calls <= static_cast<long>(threads));
    CHECK(kernel.looked_at == 240);
  }
}

void no_huge_page_is_in_two_parts() {
  for (const std::size_t threads : {2, 3, 8, 100}) {
    Kernel kernel;
    Trial trial(kernel);
    trial.pages = huge_pages(kernel, 5);
    trial.all = 3;
    trial.threads = threads;
    trial.run();
    CHECK(trial.status == Statuses(5 * kHugePagePages, 3));
    CHECK(kernel.moving_calls > 1 && kernel.moving_calls <= static_cast<long>(threads));
    CHECK(kernel.looked_at == 5);
  }
}

void a_list_too_short_to_divide() {
  Kernel kernel;
  Trial trial(kernel);
  trial.pages = huge_pages(kernel, 1);
  trial.all = 1;
  trial.threads = 4;
  trial.run();
  CHECK(trial.status == Statuses(kHugePagePages, 1));
  CHECK(kernel.moving_calls == 1);
}

// Both threads have the folio in hand in turn, and its last target decides.
void a_folio_in_both_parts() {
  for (int round = 0; round < 100; ++round) {
    Kernel kernel;
    Trial trial(kernel);
    const std::vector<std::uintptr_t> folio = pieces(kernel, {0, 0, 2 * kHugePagePages});
    trial.pages = folio;
    trial.each = Statuses(kHugePagePages, 1);
    trial.each.resize(2 * kHugePagePages, 2);
    trial.threads = 2;
    trial.run();
    for (const std::int32_t said : trial.status) CHECK(said != -ENOENT && said != kNotAttempted);
  }
}

void an_error_ends_all() {
  Kernel kernel;
  kernel.fails_from = 1;
  kernel.fails_with = -ESRCH;
  Trial trial(kernel);
  trial.pages = small_pages(kernel, 300);
  trial.all = 1;
  trial.threads = 3;
  trial.run();
  CHECK(trial.outcome.error == -ESRCH);
  CHECK(trial.status == Statuses(300, kNotAttempted));
}

void a_full_node_ends_none() {
  Kernel kernel;
  kernel.free[1] = 50;
  Trial trial(kernel);
  trial.pages = small_pages(kernel, 300);
  trial.each = Statuses(150, 1);
  trial.each.resize(300, 2);
  trial.threads = 2;
  trial.run();
  CHECK(trial.outcome.error == -ENOMEM);
  CHECK(std::count(trial.status.begin(), trial.status.end(), 1) == 50);
  CHECK(std::count(trial.status.begin(), trial.status.end(), 2) == 150);
}

void the_costs_learnt_hold_for_the_next_list() {
  Kernel kernel;
  movepages::Pace pace;
  Trial trial(kernel);
  trial.pages = small_pages(kernel, 2000);
  trial.all = 1;
  trial.threads = 2;
  trial.pace = &pace;
  trial.run();
  const long calls = kernel.moving_calls;
  trial.all = 2;
  trial.run();
  CHECK(trial.status == Statuses(2000, 2));
  CHECK(kernel.moving_calls < calls);
}

}  // namespace

const Case kThreadCases[] = {
    {"each moves a part", each_moves_a_part},
    {"no huge page is in two parts", no_huge_page_is_in_two_parts},
    {"a list too short to divide", a_list_too_short_to_divide},
    {"a folio in both parts", a_folio_in_both_parts},
    {"an error ends all", an_error_ends_all},
    {"a full node ends none", a_full_node_ends_none},
    {"the costs learnt hold for the next list", the_costs_learnt_hold_for_the_next_list},
    {},
};
