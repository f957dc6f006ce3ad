#include "kernel/policy_mover.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

#include "kernel/node_room.hpp"
#include "kernel/policy.hpp"
#include "kernel/syscalls.hpp"

namespace movepages {
namespace {

constexpr std::uintptr_t kLargestHugePage = std::uintptr_t{16} << 30;

bool equal(const NodeMask& one, const NodeMask& other) noexcept {
  return std::memcmp(one.words, other.words, sizeof one.words) == 0;
}

}  // namespace

PolicyMover::PolicyMover(int flags) noexcept
    : flags_(flags & kMpolMfMoveAll ? kMpolMfMoveAll : kMpolMfMove),
      order_(new (std::nothrow) std::uint16_t[kBlock]),
      asked_(new (std::nothrow) std::uintptr_t[kBlock]),
      said_(new (std::nothrow) std::int32_t[kBlock]) {}

long PolicyMover::move(const std::uintptr_t* pages, std::size_t count, const std::int32_t* nodes,
                       std::int32_t* status) noexcept {
  if (!order_ || !asked_ || !said_) return -ENOMEM;
  for (std::size_t pos = 0; pos < count; pos += kBlock) {
    const std::size_t some = std::min(kBlock, count - pos);
    const long ret = move_block(pages + pos, some, nodes + pos, status + pos);
    if (ret != 0) return ret;
  }
  return lacked_room_ ? -ENOMEM : 0;
}

long PolicyMover::move_block(const std::uintptr_t* pages, std::size_t count,
                             const std::int32_t* nodes, std::int32_t* status) noexcept {
  pages_ = pages;
  nodes_ = nodes;
  status_ = status;
  extents_.forget();
  long ret = own_.ask(pages, count, status);
  if (ret != 0) return ret;
  const std::size_t moving = sort_block(count);
  Run run;
  for (std::size_t k = 0; k < moving; ++k) {
    const std::size_t i = order_[k];
    const bool inside = pages[i] >= run.start && pages[i] < run.end && nodes[i] == run.node;
    if (inside && run.last == k) {
      run.last = k + 1;
      continue;
    }
    const Extent extent = extents_.of(pages[i]);
    Run next;
    next.start = extent.start;
    next.end = extent.end;
    next.node = nodes[i];
    next.first = k;
    next.last = k + 1;
    const long found = policy_at(extent.start, &next.mode, &next.policy_nodes);
    if (is_refusal(found)) return found;
    if (found == 0) next.home = homes_.of(extent.start, next.mode, next.policy_nodes);
    if (found == 0 && joins(run, next)) {
      run.end = next.end;
      run.last = k + 1;
      continue;
    }
    if ((ret = move_run(run)) != 0) return ret;
    run = found == 0 ? next : Run();
    // The mapping has gone since.
    if (found != 0) status[i] = -EFAULT;
  }
  return move_run(run);
}

// Sorts the entries to move by target and address. Returns how many there are.
std::size_t PolicyMover::sort_block(std::size_t count) noexcept {
  std::size_t moving = 0;
  for (std::size_t i = 0; i < count; ++i) {
    // A query of a device's memory finds no page; a move finds no memory that could move.
    if (status_[i] == -ENOENT && own_.is_of_device(pages_[i])) status_[i] = -EFAULT;
    const bool there = status_[i] >= 0 || status_[i] == kHidden;
    if (there && status_[i] != nodes_[i]) order_[moving++] = static_cast<std::uint16_t>(i);
  }
  const auto before = [this](std::uint16_t one, std::uint16_t other) {
    return nodes_[one] != nodes_[other] ? nodes_[one] < nodes_[other] : pages_[one] < pages_[other];
  };
  if (!std::is_sorted(order_.get(), order_.get() + moving, before)) {
    std::sort(order_.get(), order_.get() + moving, before);
  }
  return moving;
}

bool PolicyMover::joins(const Run& run, const Run& next) const noexcept {
  return run.last == next.first && run.end == next.start && run.node == next.node &&
         run.mode == next.mode && run.home == next.home &&
         equal(run.policy_nodes, next.policy_nodes);
}

long PolicyMover::move_run(const Run& run) noexcept {
  if (run.first == run.last) return 0;
  if (leaves_alone(run)) {
    const long asked = ask(run, -ENOMEM);
    if (asked == 0) explain(run, -ENOMEM);
    return asked;
  }
  // Nothing may be bound that cannot get its policy back: set now, it changes nothing.
  Extent bound = {run.start, run.end};
  long ret = restore(run, bound);
  if (is_refusal(ret)) return ret;
  if (ret != 0) {
    explain(run, ret);
    return 0;
  }
  ret = bind_to_target(run, &bound);
  if (ret == -EINVAL && run.last - run.first > 1) return move_each(run);
  long asked = is_refusal(ret) ? ret : ask(run, ret);
  if (asked == 0 && left_behind(run) > 0 && !is_full(run.node)) {
    // A page may have been in use for a moment, or room has been found since.
    ret = bind_to_target(run, &bound);
    asked = is_refusal(ret) ? ret : ask(run, ret);
  }
  if (asked == 0) explain(run, ret);
  const long restored = restore(run, bound);
  return asked != 0 ? asked : restored;
}

long PolicyMover::move_each(const Run& run) noexcept {
  for (std::size_t k = run.first; k < run.last; ++k) {
    const Extent extent = extents_.of(pages_[order_[k]]);
    Run one = run;
    one.start = extent.start;
    one.end = extent.end;
    one.first = k;
    one.last = k + 1;
    const long ret = move_run(one);
    if (ret != 0) return ret;
  }
  return 0;
}

// The target holds for the pages' places while they are asked for: automatic NUMA balancing leaves
// alone what is bound.
long PolicyMover::bind_to_target(const Run& run, Extent* bound) noexcept {
  const NodeMask target = only(run.node);
  const unsigned flags = static_cast<unsigned>(flags_) | kMpolMfStrict;
  long ret = bind_range(bound->start, bound->end - bound->start, kMpolBind, target, flags);
  // The kernel cuts no page of hugetlbfs: EINVAL until the range has its size.
  for (std::uintptr_t size = huge_is_ambiguous() ? 2 * page_bytes() : huge_page_bytes();
       ret == -EINVAL && run.last - run.first == 1 && size <= kLargestHugePage; size *= 2) {
    const Extent whole = {run.start / size * size, run.start / size * size + size};
    ret = bind_range(whole.start, size, kMpolBind, target, flags);
    if (ret == 0 || ret == -EIO || ret == -ENOMEM) *bound = whole;
  }
  return ret;
}

long PolicyMover::restore(const Run& run, const Extent& bound) noexcept {
  constexpr int kTries = 16;
  long ret = 0;
  for (int tries = 0; tries < kTries; ++tries) {
    ret = bind_range(bound.start, bound.end - bound.start, run.mode, run.policy_nodes, 0);
    if (ret == 0 && run.home != HomeNodes::kNone) {
      ret = HomeNodes::set(bound.start, bound.end - bound.start, run.home);
    }
    if (ret == 0 || is_refusal(ret)) break;
  }
  return ret;
}

// Asks where the pages of a run are after a call that answered `ret`. Pages that are still
// elsewhere and not shared get the node they are on.
long PolicyMover::ask(const Run& run, long ret) noexcept {
  const std::size_t count = run.last - run.first;
  for (std::size_t k = 0; k < count; ++k) asked_[k] = pages_[order_[run.first + k]];
  const long refused = own_.ask(asked_.get(), count, said_.get());
  if (refused != 0) return refused;
  for (std::size_t k = 0; k < count; ++k) {
    std::int32_t& status = status_[order_[run.first + k]];
    status = said_[k];
    const bool shared = status != run.node && !own_.is_exclusive(asked_[k]);
    if (status == kHidden && !shared) status = status_of_unreadable(run, asked_[k], ret);
    if (status >= 0 && shared && flags_ == kMpolMfMove) status = -EACCES;
  }
  return 0;
}

// Only mbind(2) itself tells where a page is that this process may not read. With MPOL_MF_STRICT it
// succeeds if all pages are on the target; for shared pages this does not hold on every kernel.
std::int32_t PolicyMover::status_of_unreadable(const Run& run, std::uintptr_t page,
                                               long ret) noexcept {
  if (ret != 0) {
    const Extent extent = extents_.of(page);
    const unsigned flags = static_cast<unsigned>(flags_) | kMpolMfStrict;
    ret = bind_range(extent.start, extent.end - extent.start, kMpolBind, only(run.node), flags);
  }
  if (ret == 0) return run.node;
  const bool full = is_full(run.node);
  lacked_room_ |= full;
  return full ? -ENOMEM : -EBUSY;
}

// Each attempt to move a page to a full node takes the kernel milliseconds. Only an attempt tells
// where unreadable pages are.
bool PolicyMover::leaves_alone(const Run& run) const noexcept {
  return is_known_full(run.node) &&
         std::none_of(order_.get() + run.first, order_.get() + run.last,
                      [this](std::uint16_t i) { return status_[i] == kHidden; });
}

std::size_t PolicyMover::left_behind(const Run& run) const noexcept {
  std::size_t count = 0;
  for (std::size_t k = run.first; k < run.last; ++k) {
    count += status_[order_[k]] >= 0 && status_[order_[k]] != run.node;
  }
  return count;
}

// Gives the pages that are still elsewhere the errno of move_pages(2), as far as it can be known.
void PolicyMover::explain(const Run& run, long ret) noexcept {
  if (left_behind(run) == 0) return;
  const bool full = ret == -ENOMEM || is_full(run.node);
  for (std::size_t k = run.first; k < run.last; ++k) {
    std::int32_t& status = status_[order_[k]];
    if (status >= 0 && status != run.node) status = full ? -ENOMEM : -EBUSY;
  }
  lacked_room_ |= full;
}

}  // namespace movepages
