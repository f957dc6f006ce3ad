#include <algorithm>

#include "driver/driver.hpp"

namespace movepages {
namespace {

bool may_have_begun(long error) noexcept {
  return error != -EPERM && error != -ESRCH && error != -EINVAL && error != -ENOSYS &&
         error != -EINTR;
}

}  // namespace

// Moves the next chunk, at most `most` pages or `most_huge` huge pages, and makes its statuses
// true. Returns how many pages or huge pages the kernel processed; 0 if the call failed as a whole.
std::size_t Driver::move_chunk(std::size_t most, std::size_t most_huge) noexcept {
  const std::size_t start = done_;
  const std::int32_t* nodes = request_.target->each ? request_.target->each + start : nullptr;
  const RunGroup group =
      huge_.next(request_.pages + start, nodes, request_.count - start, most, most_huge);
  if (group.heads > 0) return move_heads(group) ? group.heads : 0;
  return move_each(group.entries) ? done_ - start : 0;
}

bool Driver::move_each(std::size_t count) noexcept {
  const std::size_t start = done_;
  const std::size_t end = start + count;
  prefill(end);
  const std::int32_t* nodes =
      request_.target->each ? request_.target->each + start : same_node_.get();
  const long ret = call_again_after_eintr(kernel_, request_.pid, count, request_.pages + start,
                                          nodes, request_.status + start, request_.flags);
  ++calls_;
  if (ret == 0) {
    done_ = end;
    return recheck(start, end, Doubt::kMissing, -EBUSY);
  }
  if (ret > 0 || ret == -ENOMEM) {
    // A full node must not keep pages for other nodes from moving.
    if (ret == -ENOMEM) outcome_.error = ret;
    done_ = end_of_failed_batch(start, end);
    // The page that ended a failed batch may be busy only because its folio was in that batch.
    std::int32_t& last = request_.status[done_ - 1];
    if (last == -EBUSY && done_ - 1 > start) {
      last = kNotAttempted;
      --done_;
    }
    return recheck(start, done_, Doubt::kMissing, ret > 0 ? -EBUSY : -ENOMEM);
  }
  outcome_.error = ret;
  // Pages before the entry that stopped the call may have moved; nothing is known of the others.
  if (may_have_begun(ret)) {
    done_ = end;
    recheck(start, end, Doubt::kMissing, kNotAttempted);
  }
  return false;
}

// Lists one entry for each huge page. While it stays huge, its status holds for all its pages.
bool Driver::move_heads(const RunGroup& group) noexcept {
  std::uintptr_t head[HugePages::kMostHeads];
  std::int32_t node[HugePages::kMostHeads];
  std::int32_t said[HugePages::kMostHeads];
  const std::size_t start = done_;
  for (std::size_t k = 0; k < group.heads; ++k) {
    head[k] = request_.pages[start + huge_.first(k)];
    node[k] = wanted(start + huge_.first(k));
  }
  const Target target = {node, 0};
  const Outcome outcome = run_within(head, group.heads, target, said, false);
  for (std::size_t k = 0; k < group.heads; ++k) {
    std::fill(request_.status + start + huge_.first(k),
              request_.status + start + huge_.first(k + 1), said[k]);
  }
  done_ += group.entries;
  told_ = std::max(told_, done_);
  bool goes_on = goes_on_after(outcome.error);
  huge_.forget();
  // The kernel splits a huge page when its target is full. Then its status holds for the head
  // alone.
  for (std::size_t k = 0; k < group.heads; ++k) {
    const std::size_t begin = start + huge_.first(k);
    const std::size_t end = start + huge_.first(k + 1);
    if (huge_.is_piece(head[k])) continue;
    if (goes_on) {
      goes_on = move_pieces(begin, end);
    } else if (huge_.tells()) {
      // Nothing more can be asked about the other pieces.
      std::fill(request_.status + begin + 1, request_.status + end, kNotAttempted);
    }
  }
  return goes_on;
}

bool Driver::move_pieces(std::size_t begin, std::size_t end) noexcept {
  const std::int32_t* each = request_.target->each ? request_.target->each + begin : nullptr;
  const Target target = {each, request_.target->all};
  return goes_on_after(
      run_within(request_.pages + begin, end - begin, target, request_.status + begin, false)
          .error);
}

// Moves some of the pages in a run of their own, with one entry for each page. In the `last_turn`,
// pages that do not move are not asked about again.
Outcome Driver::run_within(const std::uintptr_t* pages, std::size_t count, const Target& target,
                           std::int32_t* status, bool last_turn) noexcept {
  Kernel plain = kernel_;
  plain.hides_pages = nullptr;
  plain.huge_until = nullptr;
  // The caller has chosen how many pages one call moves, whatever their size.
  plain.huge_page_bytes = 0;
  Pace all(count);
  const Request request = {request_.pid, count, pages, &target, status, request_.flags, &all};
  Driver driver(request, Pause(), plain);
  driver.last_turn_ = last_turn;
  ran_within_ = true;
  ++calls_;
  return driver.run();
}

bool Driver::goes_on_after(long error) noexcept {
  if (error != 0) outcome_.error = error;
  return error == 0 || error == -ENOMEM;
}

// Returns the index from which to call the kernel again. A failed batch stays unwritten: it is the
// first gap in the statuses. do_pages_move() writes the status of an entry it cannot queue before
// it flushes the batch in front of it, so the kernel has seen a written entry after the gap.
// Without such an entry, the batch ended at the first entry for another node.
std::size_t Driver::end_of_failed_batch(std::size_t start, std::size_t end) const noexcept {
  const std::int32_t* status = request_.status;
  const std::int32_t* gap = std::find(status + start, status + end, kNotAttempted);
  const std::int32_t* written =
      std::find_if(gap, status + end, [](std::int32_t value) { return value != kNotAttempted; });
  if (written != status + end) return static_cast<std::size_t>(written - status) + 1;
  auto i = static_cast<std::size_t>(gap - status);
  if (i == end) return end;
  const std::int32_t node = wanted(i);
  while (i < end && wanted(i) == node) ++i;
  return i;
}

}  // namespace movepages
