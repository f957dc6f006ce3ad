// Puts the model where the driver expects the kernel.
#include <algorithm>

#include "check.hpp"
#include "kernel/hidden.hpp"
#include "model_kernel.hpp"

namespace model {
namespace {

Kernel* current = nullptr;  // movepages::Kernel carries no context

long call_move_pages(int pid, std::size_t count, const std::uintptr_t* pages,
                     const std::int32_t* nodes, std::int32_t* status, int flags) noexcept {
  const std::lock_guard lock(current->turn);
  return current->move_pages(pid, count, pages, nodes, status, flags);
}

bool call_allowed_nodes(movepages::NodeMask& mask) noexcept { return current->allowed_nodes(mask); }

bool call_hides_pages() noexcept { return current->version.hides_pages; }

std::int64_t call_now_ns() noexcept {
  const std::lock_guard lock(current->turn);
  return current->clock_ns;
}

std::int64_t call_work_ns() noexcept {
  const std::lock_guard lock(current->turn);
  return current->clock_ns - current->waited_ns;
}

movepages::HugeAnswer call_huge_until(movepages::Pagemap& /*pagemap*/, std::uintptr_t start,
                                      std::uintptr_t end) noexcept {
  constexpr std::uintptr_t kHugePage = kHugePagePages * kPageBytes;
  if (!current->version.tells_huge_pages) return {start, false};
  const std::lock_guard lock(current->turn);
  CHECK(start % kHugePage == 0 && end % kHugePage == 0 && start < end);
  while (start < end && current->is_huge(start)) start += kHugePage;
  return {start, true};
}

}  // namespace

Kernel::Kernel(Version which) : version(which) {
  std::fill_n(free, kNodes, LONG_MAX / 2);
  CHECK(current == nullptr);
  current = this;
}

Kernel::~Kernel() { current = nullptr; }

movepages::Kernel Kernel::table() {
  movepages::Kernel calls = {};
  calls.move_pages = call_move_pages;
  calls.allowed_nodes = call_allowed_nodes;
  calls.now_ns = call_now_ns;
  calls.work_ns = call_work_ns;
  calls.hides_pages = call_hides_pages;
  calls.huge_until = call_huge_until;
  calls.page_bytes = kPageBytes;
  calls.huge_page_bytes = current->huge_page_bytes;
  return calls;
}

}  // namespace model

// Replaces csrc/kernel/hidden.cpp, which would read the page tables of this test process.
namespace movepages {

std::int32_t HiddenPages::reveal(std::uintptr_t page, std::int32_t status) noexcept {
  const std::lock_guard lock(model::current->turn);
  const std::int32_t node = model::current->truth(page);
  const bool hidden = status == -ENOENT && node >= 0;
  if (hidden && pid_ != 0 && !touches_) return kHidden;
  return model::current->reveal(page, status);
}

}  // namespace movepages
