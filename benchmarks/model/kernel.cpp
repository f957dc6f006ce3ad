#include "kernel.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace scaling {
namespace {

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "scaling: %s\n", what);
  std::abort();
}

}  // namespace

Kernel::Kernel(const Memory& memory, std::int64_t fixed_ns)
    : memory_(memory),
      fixed_ns_(fixed_ns),
      unit_pages_(memory.huge ? kHugePagePages : 1),
      units_((memory.pages - 1) / (unit_pages_ * memory.every) + 1),
      moved_(kWindow, false) {}

std::int32_t Kernel::wanted(std::size_t page) const {
  return static_cast<std::int32_t>(memory_.first + page / kHugePagePages % memory_.nodes);
}

std::size_t Kernel::unit_of(std::uintptr_t address) const {
  require(address >= kStart && address < end(), "an address outside of the memory");
  return (address - kStart) / kPageBytes / unit_pages_;
}

std::int32_t Kernel::wanted_unit(std::size_t present) const {
  return wanted(present * memory_.every * unit_pages_);
}

bool Kernel::is_placed(std::size_t unit) const {
  return unit < placed_ || wanted_unit(unit) == 0 ||
         (unit - placed_ < kWindow && moved_[unit % kWindow]);
}

std::int32_t Kernel::node_of(std::size_t unit) const {
  if (unit % memory_.every != 0) return -ENOENT;
  const std::size_t present = unit / memory_.every;
  return is_placed(present) ? wanted_unit(present) : 0;
}

void Kernel::place(std::size_t unit) {
  require(!is_placed(unit), "a page moves twice");
  require(unit - placed_ < kWindow, "a page moves long before its turn");
  moved_[unit % kWindow] = true;
  counts.moved +=
      static_cast<std::int64_t>(std::min(unit_pages_, memory_.pages - unit * unit_pages_));
  for (; placed_ < units_ && is_placed(placed_); ++placed_) moved_[placed_ % kWindow] = false;
}

std::size_t Kernel::not_placed() const {
  std::size_t missing = 0;
  for (std::size_t unit = placed_; unit < std::min(units_, placed_ + kWindow); ++unit) {
    missing += !is_placed(unit);
  }
  return missing;
}

long Kernel::move_pages(std::size_t count, const std::uintptr_t* pages, const std::int32_t* nodes,
                        std::int32_t* status) {
  const double before = clock_;
  ++(nodes ? counts.moving_calls : counts.queries);
  counts.entries += static_cast<std::int64_t>(count);
  clock_ += nodes ? static_cast<double>(fixed_ns_) : kQueryCall;
  if (nodes) waited_ += fixed_ns_;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t unit = unit_of(pages[i]);
    clock_ += memory_.huge ? kQueryHugePage : kQueryPage;
    status[i] = node_of(unit);
    if (nodes == nullptr || status[i] < 0 || status[i] == nodes[i]) continue;
    const std::size_t present = unit / memory_.every;
    require(nodes[i] == wanted_unit(present), "a page goes to a node where it is not wanted");
    place(present);
    clock_ += memory_.huge ? kMoveHugePage : kMovePage;
    status[i] = nodes[i];
  }
  if (nodes)
    counts.longest_ns = std::max(counts.longest_ns, static_cast<std::int64_t>(clock_ - before));
  return 0;
}

movepages::PresenceRun Kernel::stretch(std::uintptr_t at) const {
  using movepages::Presence;
  if (memory_.every == 1) return {at, end(), memory_.huge ? Presence::kHugePage : Presence::kPage};
  const std::size_t page = (at - kStart) / kPageBytes;
  if (page % memory_.every == 0) return {at, at + kPageBytes, Presence::kPage};
  const std::size_t next = (page / memory_.every + 1) * memory_.every;
  return {at, kStart + std::min(next, memory_.pages) * kPageBytes, Presence::kNothing};
}

}  // namespace scaling
