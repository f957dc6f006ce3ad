// Checks the model against what real kernels were seen to do. Driver tests cannot find its
// mistakes.
#include <algorithm>
#include <vector>

#include "cases.hpp"
#include "check.hpp"
#include "model_kernel.hpp"

namespace {

constexpr std::int32_t kUnset = movepages::kNotAttempted;

struct Raw {
  explicit Raw(model::Version version = model::k6_12) : kernel(version) {}

  void add(std::size_t count, const model::Folio& folio) {
    for (std::size_t k = 0; k < count; ++k) pages.push_back(kernel.add(folio));
  }
  long move(std::int32_t node) { return move(std::vector<std::int32_t>(pages.size(), node)); }
  long move(const std::vector<std::int32_t>& nodes) {
    status.assign(pages.size(), kUnset);
    return kernel.move_pages(0, pages.size(), pages.data(), nodes.data(), status.data(), 0);
  }
  long unset() const { return std::count(status.begin(), status.end(), kUnset); }
  long on(std::int32_t node) const {
    return std::count_if(pages.begin(), pages.end(),
                         [&](std::uintptr_t page) { return kernel.stat(page) == node; });
  }

  model::Kernel kernel;
  std::vector<std::uintptr_t> pages;
  std::vector<std::int32_t> status;
};

void one_pinned_of_twelve() {
  Raw raw;
  raw.add(12, {});
  raw.kernel.folio(raw.pages[8]).failures = model::kPinned;
  CHECK(raw.move(1) == 1);
  CHECK(raw.unset() == 12);
  CHECK(raw.on(1) == 11);
}

void one_pinned_and_a_hole() {
  Raw raw;
  raw.add(12, {});
  raw.kernel.folio(raw.pages[2]).failures = model::kPinned;
  raw.pages[5] = raw.kernel.add_absent();
  CHECK(raw.move(1) == 7);
  CHECK(raw.unset() == 11 && raw.status[5] == -ENOENT);
  CHECK(raw.on(1) == 4);
}

void full_node() {
  Raw raw;
  raw.add(100, {});
  raw.kernel.free[2] = 60;
  CHECK(raw.move(2) == -ENOMEM);
  CHECK(raw.unset() == 100);
  CHECK(raw.on(2) == 60);
}

void pieces_of_a_huge_page() {
  Raw raw;
  const std::uintptr_t head = raw.kernel.add({0, 0, 512});
  for (std::size_t k = 0; k < 512; ++k) raw.pages.push_back(model::Kernel::piece(head, k));
  CHECK(raw.move(1) == 0);
  CHECK(raw.on(1) == 512);
  CHECK(raw.status[1] == -EBUSY && std::count(raw.status.begin(), raw.status.end(), 1) == 511);
}

void huge_page_splits_when_the_node_is_full() {
  Raw raw;
  const std::uintptr_t head = raw.kernel.add({0, 0, 8});
  raw.pages = {head};
  raw.kernel.free[1] = 3;
  CHECK(raw.move(1) == 1);
  CHECK(raw.kernel.stat(model::Kernel::piece(head, 2)) == 1);
  CHECK(raw.kernel.stat(model::Kernel::piece(head, 3)) == 0);
}

void failed_last_flush_is_hidden() {
  Raw raw;
  raw.add(3, {});
  raw.kernel.folio(raw.pages[0]).failures = model::kPinned;
  CHECK(raw.move({1, 1, -1}) == -ENODEV);
  CHECK(raw.unset() == 3 && raw.on(1) == 1);
}

void other_nodes_than_the_targets_own() {
  Raw raw;
  raw.add(2, {});
  raw.kernel.in_cpuset[1] = raw.kernel.has_memory[3] = false;
  CHECK(raw.move({2, 1}) == -EACCES);
  CHECK(raw.status[0] == 2 && raw.status[1] == kUnset);
  CHECK(raw.move({2, 3}) == -ENODEV);
}

void node_change_ends_a_batch() {
  Raw raw;
  raw.add(6, {});
  raw.kernel.folio(raw.pages[2]).failures = model::kPinned;
  CHECK(raw.move({1, 1, 2, 2, 3, 3}) == 3);
  CHECK(raw.status[1] == 1 && raw.unset() == 4);
  CHECK(raw.on(2) == 1 && raw.on(3) == 0);
}

void tail_of_a_hugetlb_page() {
  for (const bool old : {true, false}) {
    Raw raw(old ? model::k6_1 : model::k6_12);
    const std::uintptr_t head = raw.kernel.add({0, 0, 4, 0, true});
    raw.pages = {model::Kernel::piece(head, 1)};
    CHECK(raw.move(1) == 0);
    CHECK(raw.status[0] == (old ? -EACCES : 1));
  }
}

}  // namespace

const Case kModelCases[] = {
    {"one pinned of twelve", one_pinned_of_twelve},
    {"one pinned and a hole", one_pinned_and_a_hole},
    {"full node", full_node},
    {"pieces of a huge page", pieces_of_a_huge_page},
    {"huge page splits when the node is full", huge_page_splits_when_the_node_is_full},
    {"failed last flush is hidden", failed_last_flush_is_hidden},
    {"other nodes than the target's own", other_nodes_than_the_targets_own},
    {"node change ends a batch", node_change_ends_a_batch},
    {"tail of a hugetlb page", tail_of_a_hugetlb_page},
    {},
};
