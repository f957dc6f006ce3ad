// Unordered lists, which are queried in address order.
#include <algorithm>

#include "cases.hpp"
#include "check.hpp"
#include "driver/order.hpp"
#include "trial.hpp"

namespace {

using model::Kernel;
using movepages::AddressOrder;

// Used instead of std::shuffle, which gives another order with every library.
void shuffle(std::vector<std::uintptr_t>& pages) {
  std::uint64_t state = 1;
  for (std::size_t i = pages.size(); i > 1; --i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    std::swap(pages[i - 1], pages[(state >> 33) % i]);
  }
}

std::vector<std::uintptr_t> mixture(Kernel& kernel, std::size_t count) {
  std::vector<std::uintptr_t> pages;
  for (std::size_t i = 0; i < count; ++i) {
    pages.push_back(i % 7 == 0 ? kernel.add_absent() : kernel.add({static_cast<int>(i % 4)}));
  }
  return pages;
}

void each_gets_its_own_answer() {
  for (const std::size_t count : {4096, 5000, 300'000}) {
    Kernel kernel;
    Trial trial(kernel);
    trial.pages = mixture(kernel, count);
    shuffle(trial.pages);
    for (std::size_t i = 0; i < count; i += 5) trial.pages[i] += i % model::kPageBytes;
    trial.pages[count / 2] = trial.pages[count / 3];
    trial.moves = false;
    trial.run();
    CHECK(trial.outcome.error == 0);
  }
}

void all_that_was_asked_for_is_told() {
  Kernel kernel;
  Trial trial(kernel);
  trial.pages = mixture(kernel, 300'000);
  shuffle(trial.pages);
  trial.moves = false;
  trial.pause_after = 0;
  kernel.query_ns = 30'000'000;
  trial.scattered = true;
  trial.run();
  CHECK(trial.outcome.interrupted);
  const auto told = std::count_if(trial.status.begin(), trial.status.end(), [](std::int32_t value) {
    return value != movepages::kNotAttempted;
  });
  CHECK(told == 65536);
}

void what_is_in_order_stays_as_it_is() {
  AddressOrder order(model::kPageBytes);
  std::vector<std::uintptr_t> pages;
  for (std::uintptr_t i = 0; i < 10'000; ++i) pages.push_back(i * model::kPageBytes);
  CHECK(!order.pays(pages.data(), pages.size()));
  shuffle(pages);
  CHECK(order.pays(pages.data(), pages.size()));
  CHECK(!order.pays(pages.data(), AddressOrder::kFewest - 1));
}

void addresses_all_over_the_place() {
  AddressOrder order(model::kPageBytes);
  std::vector<std::uintptr_t> pages;
  for (std::uintptr_t i = 0; i < 5000; ++i) pages.push_back(i * 0x9e3779b97f4a7c15u);
  CHECK(!order.sort(pages.data(), pages.size()));
  for (std::uintptr_t& page : pages) page &= (std::uintptr_t{1} << 57) - 1;
  CHECK(order.sort(pages.data(), pages.size()));
  CHECK(std::is_sorted(order.pages(), order.pages() + pages.size()));
  for (std::size_t i = 0; i < pages.size(); ++i) {
    order.status()[i] = static_cast<std::int32_t>(order.pages()[i] >> 30);
  }
  std::vector<std::int32_t> status(pages.size());
  order.give(pages.size(), status.data());
  for (std::size_t i = 0; i < pages.size(); ++i) {
    CHECK(status[i] == static_cast<std::int32_t>(pages[i] >> 30));
  }
}

}  // namespace

const Case kOrderCases[] = {
    {"each gets its own answer", each_gets_its_own_answer},
    {"all that was asked for is told", all_that_was_asked_for_is_told},
    {"what is in order stays as it is", what_is_in_order_stays_as_it_is},
    {"addresses all over the place", addresses_all_over_the_place},
    {},
};
