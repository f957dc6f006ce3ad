// Calls that end before every page was tried: refused, stopped by the kernel, or interrupted.
#include <algorithm>

#include "cases.hpp"
#include "check.hpp"
#include "trial.hpp"

namespace {

using model::Kernel;
using movepages::kNotAttempted;
using Statuses = std::vector<std::int32_t>;

void check_refused(Trial& trial, long error, std::size_t index) {
  trial.run();
  CHECK(trial.outcome.rejected && trial.outcome.error == error && trial.outcome.refused == index);
  for (const std::uintptr_t page : trial.pages) CHECK(trial.kernel.stat(page) == 0);
}

void refused_nodes() {
  for (const std::int32_t node : {-1, -1024, INT_MIN, 1024, INT_MAX, 63, 64, 1023, 3}) {
    Kernel kernel;
    kernel.has_memory[3] = false;
    Trial trial(kernel);
    trial.pages = small_pages(kernel, 10);
    trial.all = node;
    check_refused(trial, -ENODEV, 0);
    trial.each.assign(10, 1);
    trial.each[7] = trial.each[9] = node;
    check_refused(trial, -ENODEV, 7);
  }
}

void node_outside_the_own_cpuset() {
  Kernel kernel;
  kernel.in_cpuset[2] = false;
  Trial trial(kernel);
  trial.pages = small_pages(kernel, 2);
  trial.each = {1, 2};
  check_refused(trial, -EACCES, 1);
  kernel.has_memory[2] = false;
  check_refused(trial, -ENODEV, 1);
  // Without an answer from the kernel, the driver knows only that the node is unusable.
  kernel.has_memory[2] = true;
  kernel.fails_from = 1;
  kernel.fails_with = -EPERM;
  check_refused(trial, -ENODEV, 1);
}

void unknown_flags() {
  for (const int flags : {1, 8, 2 | 16, -1}) {
    for (const bool moves : {true, false}) {
      Kernel kernel;
      Trial trial(kernel);
      trial.pages = small_pages(kernel, 3);
      trial.flags = flags;
      trial.moves = moves;
      trial.all = 1;
      check_refused(trial, -EINVAL, 0);
    }
  }
}

void no_pages() {
  Kernel kernel;
  Trial trial(kernel);
  trial.run();
  CHECK(trial.outcome.error == 0 && kernel.calls == 1 && kernel.moving_calls == 0);
  kernel.fails_from = 1;
  trial.run();
  CHECK(trial.outcome.error == -ESRCH && kernel.moving_calls == 0);
  trial.all = -1;
  check_refused(trial, -ENODEV, 0);
}

void without_the_privilege() {
  Kernel kernel;
  kernel.privileged = false;
  Trial trial(kernel);
  trial.pages = small_pages(kernel, 3);
  trial.flags = model::kMoveAll;
  trial.all = 1;
  for (const bool moves : {true, false}) {
    trial.moves = moves;
    trial.run();
    CHECK(trial.outcome.error == -EPERM && !trial.outcome.rejected);
    CHECK(trial.status == Statuses(3, kNotAttempted));
  }
}

// Only the kernel knows the usable nodes of another process. In a sandbox, the driver does not know
// its own either.
void the_kernel_refuses_in_mid_list() {
  for (const bool own : {true, false}) {
    for (const bool cpuset : {true, false}) {
      Kernel kernel;
      Trial trial(kernel);
      (cpuset ? kernel.in_cpuset : kernel.has_memory)[3] = false;
      kernel.nodes_known = !own;
      trial.pid = own ? 0 : 4711;
      trial.pages = small_pages(kernel, 8);
      kernel.folio(trial.pages[1]).failures = model::kPinned;
      kernel.folio(trial.pages[5]).node = 2;
      trial.each = {2, 2, 2, 3, 2, 2, 2, 2};
      trial.run();
      CHECK(trial.outcome.error == -ENODEV + (cpuset ? -EACCES + ENODEV : 0));
      constexpr std::int32_t no = kNotAttempted;
      // Page 3 has another node, but is refused before the node change ends the batch in front of
      // it.
      CHECK((trial.status == Statuses{2, no, 2, no, no, 2, no, no}));
    }
  }
}

void interrupted_after_some_slices() {
  for (const bool mixed : {false, true}) {
    Kernel kernel;
    kernel.page_ns = 1'000'000;
    Trial trial(kernel);
    trial.pages = small_pages(kernel, 2000);
    if (mixed) {
      for (std::size_t i = 0; i < 2000; ++i) trial.each.push_back(1 + static_cast<int>(i % 3));
    }
    trial.all = 1;
    trial.pause_after = 4;
    trial.run();
    CHECK(trial.outcome.interrupted && trial.outcome.error == 0 && trial.pauses == 5);
    CHECK(trial.last_when_stopped == kUnwritten);
    const auto first = std::find(trial.status.begin(), trial.status.end(), kNotAttempted);
    CHECK(first - trial.status.begin() > 256 && trial.status.end() - first > 1000);
    CHECK(std::all_of(first, trial.status.end(), [](int value) { return value == kNotAttempted; }));
  }
}

void pause_is_asked_once_a_slice_at_most() {
  Kernel kernel;
  kernel.call_ns = kernel.page_ns = 0;
  Trial trial(kernel);
  trial.pages = small_pages(kernel, 2000);
  trial.all = 1;
  trial.run();
  CHECK(trial.pauses == 0 && trial.outcome.error == 0);
}

void interrupted_query() {
  Kernel kernel;
  Trial trial(kernel);
  trial.pages = small_pages(kernel, 200'000);
  kernel.query_ns = 30'000'000;
  trial.moves = false;
  trial.pause_after = 1;
  trial.run();
  CHECK(trial.outcome.interrupted);
  // Writing all statuses of a long list would keep a signal waiting.
  CHECK(trial.last_when_stopped == kUnwritten && trial.outcome.told == 131'072);
  CHECK(trial.status[131'071] == 0 && trial.status[131'072] == kNotAttempted);
}

void the_process_exits_meanwhile() {
  for (long call = 1; call <= 12; ++call) {
    for (const bool moves : {true, false}) {
      Kernel kernel;
      Trial trial(kernel);
      trial.pages = small_pages(kernel, moves ? 1000 : 140'000);
      for (std::size_t i = 0; i < 1000; i += 200) kernel.folio(trial.pages[i]).failures = 1;
      trial.all = 1;
      trial.moves = moves;
      kernel.fails_from = call;
      trial.run();
      CHECK(trial.outcome.error == (kernel.calls < call ? 0 : -ESRCH));
    }
  }
}

void one_failed_call_ends_it() {
  for (const bool moves : {true, false}) {
    Kernel kernel;
    Trial trial(kernel);
    trial.pages = small_pages(kernel, 200'000);
    kernel.fails_from = 2;
    kernel.fails_for = 1;
    trial.all = 1;
    trial.moves = moves;
    trial.run();
    CHECK(trial.outcome.error == -ESRCH && kernel.calls == 2);
    CHECK(trial.status.back() == kNotAttempted);
  }
}

// A status that could not be checked again may be wrong, so it becomes kNotAttempted.
void no_second_look_at_a_carried_page() {
  for (const long error : {-ESRCH, -EPERM, -EINTR}) {
    Kernel kernel;
    Trial trial(kernel);
    const std::uintptr_t huge = kernel.add({0, 0, 2});
    trial.pages = {huge, kernel.add({}), Kernel::piece(huge, 1)};
    trial.each = {1, 1, 2};
    kernel.query_fails_from = 1;
    kernel.fails_with = error;
    trial.run();
    CHECK(trial.outcome.error == error && trial.status[0] == kNotAttempted);
  }
}

void no_second_look_at_a_duplicate() {
  Kernel kernel;
  Trial trial(kernel);
  const std::uintptr_t page = kernel.add({});
  trial.pages = {page, page};
  trial.all = 1;
  kernel.query_fails_from = 1;
  trial.run();
  CHECK((trial.outcome.error == -ESRCH && trial.status == Statuses{1, kNotAttempted}));
}

void eintr_is_retried() {
  Kernel kernel;
  kernel.eintr_every = 2;
  Trial trial(kernel);
  trial.pages = small_pages(kernel, 1000);
  kernel.folio(trial.pages[9]).failures = model::kPinned;
  trial.all = 1;
  trial.run();
  CHECK(trial.outcome.error == 0);
  CHECK(std::count(trial.status.begin(), trial.status.end(), 1) == 999);
}

void eintr_is_not_retried_for_ever() {
  Kernel kernel;
  kernel.fails_with = -EINTR;
  kernel.fails_from = 1;
  Trial trial(kernel);
  trial.pages = small_pages(kernel, 3);
  for (const bool moves : {true, false}) {
    trial.moves = moves;
    trial.run();
    CHECK(trial.outcome.error == -EINTR && kernel.calls <= 100);
    CHECK(trial.status == Statuses(3, kNotAttempted));
  }
}

}  // namespace

const Case kStoppedCases[] = {
    {"refused nodes", refused_nodes},
    {"node outside the own cpuset", node_outside_the_own_cpuset},
    {"unknown flags", unknown_flags},
    {"no pages", no_pages},
    {"without the privilege", without_the_privilege},
    {"the kernel refuses in mid-list", the_kernel_refuses_in_mid_list},
    {"interrupted after some slices", interrupted_after_some_slices},
    {"pause is asked once a slice at most", pause_is_asked_once_a_slice_at_most},
    {"interrupted query", interrupted_query},
    {"the process exits meanwhile", the_process_exits_meanwhile},
    {"one failed call ends it", one_failed_call_ends_it},
    {"no second look at a carried page", no_second_look_at_a_carried_page},
    {"no second look at a duplicate", no_second_look_at_a_duplicate},
    {"EINTR is retried", eintr_is_retried},
    {"EINTR is not retried for ever", eintr_is_not_retried_for_ever},
    {},
};
