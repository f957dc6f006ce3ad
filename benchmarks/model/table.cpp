// Puts the model where the driver and the survey expect the kernel: in place of csrc/kernel.
#include <algorithm>
#include <cerrno>

#include "kernel.hpp"
#include "kernel/hidden.hpp"

namespace scaling {

Kernel* current = nullptr;

namespace {

long move_pages(int, std::size_t count, const std::uintptr_t* pages, const std::int32_t* nodes,
                std::int32_t* status, int) noexcept {
  return current->move_pages(count, pages, nodes, status);
}

bool allowed_nodes(movepages::NodeMask& mask) noexcept {
  for (std::size_t node = 0; node < current->memory().first + current->memory().nodes; ++node) {
    mask.add(static_cast<std::int32_t>(node));
  }
  return true;
}

std::int64_t now_ns() noexcept { return current->now(); }

std::int64_t work_ns() noexcept { return current->now() - current->waited(); }

}  // namespace

movepages::Kernel table() {
  movepages::Kernel calls = {};
  calls.move_pages = move_pages;
  calls.allowed_nodes = allowed_nodes;
  calls.now_ns = now_ns;
  calls.work_ns = work_ns;
  calls.huge_until = movepages::huge_until;
  calls.page_bytes = kPageBytes;
  calls.huge_page_bytes = kPageBytes * kHugePagePages;
  return calls;
}

}  // namespace scaling

namespace movepages {

using scaling::current;

std::size_t page_bytes() noexcept { return scaling::kPageBytes; }
bool huge_is_ambiguous() noexcept { return false; }
int Pagemap::descriptor() noexcept { return -ENOENT; }
long Pagemap::read(std::uintptr_t, std::size_t, std::uint64_t*) noexcept { return -EPERM; }
std::int32_t HiddenPages::reveal(std::uintptr_t, std::int32_t status) noexcept { return status; }
const MemoryBlocks& BlocksOnDemand::get() { return blocks_; }

long scan(Pagemap&, Scan* what, Region* found, std::size_t room) noexcept {
  ++current->counts.scans;
  current->spend(scaling::kScanCall);
  std::size_t count = 0;
  while (what->start < what->end && count < room) {
    const PresenceRun run = current->stretch(what->start);
    const std::uintptr_t until = std::min(run.end, what->end);
    const auto pages = static_cast<double>(until - what->start) / scaling::kPageBytes;
    const bool huge = run.what == Presence::kHugePage;
    if (run.what != Presence::kNothing) {
      found[count++] = {what->start, until, kScanPresent | (huge ? kScanHuge : 0)};
      current->spend(huge ? pages / scaling::kHugePagePages * scaling::kScanHugePage
                          : pages * scaling::kScanPage);
    }
    what->start = until;
  }
  return static_cast<long>(count);
}

HugeAnswer huge_until(Pagemap&, std::uintptr_t start, std::uintptr_t end) noexcept {
  ++current->counts.scans;
  current->spend(scaling::kScanCall);
  return {current->memory().huge ? std::min(end, current->end()) : start, true};
}

}  // namespace movepages
