#include "kernel/home_nodes.hpp"

#include <cerrno>

#include "kernel/mappings.hpp"
#include "kernel/policy.hpp"
#include "kernel/syscalls.hpp"

namespace movepages {
namespace {

constexpr int kModeOnly = (1 << 13) - 1;  // without the flags of a mode

bool may_have_home(int mode) noexcept {
  constexpr int kPreferredMany = 5;
  return (mode & kModeOnly) == kMpolBind || (mode & kModeOnly) == kPreferredMany;
}

}  // namespace

long HomeNodes::set(std::uintptr_t start, std::uintptr_t bytes, std::int32_t home) noexcept {
  const long ret = ::syscall(SYS_set_mempolicy_home_node, start, bytes, home, 0UL);
  return ret < 0 ? -errno : 0;
}

std::int32_t HomeNodes::of(std::uintptr_t address, int mode, const NodeMask& nodes) noexcept {
  if (!may_have_home(mode)) return kNone;
  if (address >= start_ && address < end_) return home_;
  Mappings mappings;
  const Mapping* mapping = mappings.at(address);
  if (mapping == nullptr || mapping->shared) return kNone;
  start_ = mapping->start;
  end_ = mapping->end;
  home_ = kNone;
  // A part that cuts through no huge page.
  const std::uintptr_t huge = huge_page_bytes();
  const std::uintptr_t part = start_ % huge == 0 && end_ - start_ > huge ? huge : page_bytes();
  // Without a range, the call only shows whether it is allowed.
  if (end_ - start_ <= part || set(0, 0, 0) != 0) return kNone;
  if (bind_range(start_, part, mode, nodes, 0) != 0 || !is_cut()) return kNone;
  for (std::int32_t node = 0; node < kMaxNodes && home_ == kNone; ++node) {
    if (set(start_, part, node) == 0 && !is_cut()) home_ = node;
  }
  // Something else has changed the mapping: no node that was tried may stay.
  if (home_ == kNone) bind_range(start_, part, mode, nodes, 0);
  return home_;
}

bool HomeNodes::is_cut() const noexcept {
  Mappings now;
  const Mapping* mapping = now.at(start_);
  return mapping == nullptr || mapping->end != end_;
}

}  // namespace movepages
