#include "driver/driver.hpp"

#include <algorithm>
#include <limits>
#include <new>

#include "driver/order.hpp"
#include "kernel/syscalls.hpp"

namespace movepages {
namespace {

// Every entry of a list may be a huge page. Moving this many bytes in a first call takes about 50
// ms. Each later call takes at most four times as many huge pages as the call before it.
constexpr std::size_t kFewBytes = std::size_t{512} << 20;

std::size_t few_huge_pages(const Kernel& kernel) noexcept {
  return std::max<std::size_t>(kFewBytes / std::max<std::size_t>(kernel.huge_page_bytes, 1), 1);
}

}  // namespace

Outcome Driver::run() noexcept {
  attempt();
  // Filling the statuses of a long list before the calls would keep a signal waiting.
  const std::size_t end = request_.untold ? std::max(told_, asked_) : request_.count;
  std::fill(request_.status + told_, request_.status + end, kNotAttempted);
  outcome_.told = told_;
  return outcome_;
}

void Driver::attempt() noexcept {
  if (request_.flags & ~(kMpolMfMove | kMpolMfMoveAll)) {
    outcome_.error = -EINVAL;
    outcome_.rejected = true;
  } else if (request_.target != nullptr && !nodes_are_usable()) {
    return;
  } else if (request_.count == 0) {
    // A query checks process and permission without the 155 us of a call that moves.
    outcome_.error = query_.ask(nullptr, 0, nullptr);
  } else if (request_.target == nullptr) {
    query_all();
  } else if (request_.threads > 1 && move_by_threads()) {
    return;
  } else if (prepare_nodes()) {
    move_all();
    // A later entry can move the folio of an earlier one, to its target or away from it. With one
    // target and one call, every such entry has been checked already.
    const std::size_t last = start_of_last_target();
    recheck(0, last, Doubt::kEveryPage, kNotAttempted);
    if (calls_ > 1) recheck(last, done_, Doubt::kMissing, kNotAttempted);
  }
}

// The kernel leaves some statuses unwritten, so those of the next call get a sentinel first.
void Driver::prefill(std::size_t end) noexcept {
  if (end <= told_) return;
  if (!request_.untold) std::fill(request_.status + told_, request_.status + end, kNotAttempted);
  told_ = end;
}

// Pause is called once a slice rather than once a chunk, because it may wait for the interpreter.
bool Driver::pause_wanted(std::int64_t now) noexcept {
  if (pause_.wanted == nullptr || now - last_pause_ns_ < kSliceNs) return false;
  last_pause_ns_ = now;
  outcome_.interrupted = pause_.wanted(pause_.context);
  return outcome_.interrupted;
}

void Driver::query_all() noexcept {
  if (request_.count > Query::kPortion) last_pause_ns_ = kernel_.now_ns();
  AddressOrder order(kernel_.page_bytes);
  std::size_t pos = 0;
  while (pos < request_.count) {
    const std::uintptr_t* pages = request_.pages + pos;
    std::int32_t* status = request_.status + pos;
    const std::size_t count = std::min(AddressOrder::kMost, request_.count - pos);
    std::size_t asked = 0;
    asked_ = pos + count;
    if (order.pays(pages, count) && order.sort(pages, count)) {
      std::fill_n(order.status(), count, kNotAttempted);
      asked = query_in_portions(order.pages(), count, order.status(), pos > 0);
      order.give(count, status);
      told_ = pos + count;
    } else {
      asked = query_in_portions(pages, count, status, pos > 0);
      told_ = pos + asked;
    }
    if (asked < count) return;
    pos += count;
  }
}

// Returns how many pages were queried: fewer than `count` after an error, or if Pause ended the
// call. Pause is called between portions, and before the first one if other pages came `before`.
std::size_t Driver::query_in_portions(const std::uintptr_t* pages, std::size_t count,
                                      std::int32_t* status, bool before) noexcept {
  for (std::size_t pos = 0; pos < count; pos += Query::kPortion) {
    if ((before || pos > 0) && pause_wanted(kernel_.now_ns())) return pos;
    const std::size_t some = std::min(Query::kPortion, count - pos);
    outcome_.error = query_.ask(pages + pos, some, status + pos);
    if (outcome_.error != 0) return pos;
  }
  return count;
}

// Returns the index behind the last entry whose success a later one may have undone: only an entry
// with another target can do that. Runs within this one move pages out of order, and so do policy
// calls.
std::size_t Driver::start_of_last_target() const noexcept {
  if (!mixed_ || ran_within_ || kernel_.moves_alone) return mixed_ ? done_ : 0;
  std::size_t i = done_;
  while (i > 0 && wanted(i - 1) == wanted(done_ - 1)) --i;
  return i;
}

// Refuses a bad node before anything moves; the kernel would stop half-way.
bool Driver::nodes_are_usable() noexcept {
  NodeMask allowed;
  // Only the kernel knows the cpuset of another process.
  const bool known = request_.pid == 0 && kernel_.allowed_nodes(allowed);
  const std::size_t entries = request_.target->each ? request_.count : 1;
  const std::int32_t first = entries > 0 ? wanted(0) : 0;
  for (std::size_t i = 0; i < entries; ++i) {
    const std::int32_t node = wanted(i);
    const bool possible = node >= 0 && node < kMaxNodes;
    if (!possible || (known && !allowed.has(node))) {
      outcome_.error = possible ? refusal_of(node) : -ENODEV;
      outcome_.rejected = true;
      outcome_.refused = i;
      return false;
    }
    mixed_ |= node != first;
  }
  return true;
}

// Finds out whether an unusable node has no memory or is outside the cpuset. The kernel checks the
// node before it looks for the page, so an address with nothing mapped will do.
long Driver::refusal_of(std::int32_t node) const noexcept {
  const std::uintptr_t nowhere =
      std::numeric_limits<std::uintptr_t>::max() - kernel_.page_bytes + 1;
  std::int32_t status = 0;
  const long ret = call_again_after_eintr(kernel_, 0, 1, &nowhere, &node, &status, kMpolMfMove);
  return ret == -EACCES ? -EACCES : -ENODEV;
}

// The kernel expects a node for each entry, so a single target is repeated for one chunk.
bool Driver::prepare_nodes() noexcept {
  if (request_.target->each) return true;
  const std::size_t count = std::min(Pace::kMost, request_.count);
  same_node_.reset(new (std::nothrow) std::int32_t[count]);
  if (!same_node_) {
    outcome_.error = -ENOMEM;
    outcome_.rejected = true;
    return false;
  }
  std::fill_n(same_node_.get(), count, request_.target->all);
  return true;
}

void Driver::move_all() noexcept {
  Pace own;
  Pace& pace = request_.pace ? *request_.pace : own;
  const std::size_t few = few_huge_pages(kernel_);
  std::size_t huge_pages = few;
  std::int64_t before = last_pause_ns_ = kernel_.now_ns();
  while (done_ < request_.count) {
    const std::size_t start = done_;
    const Span span = span_of(start, pace.next(), huge_pages);
    const std::int64_t worked_before = kernel_.work_ns();
    const std::size_t tried = move_chunk(span.entries, std::min(pace.next(), huge_pages));
    const std::int64_t now = kernel_.now_ns();
    if (tried == 0) return;
    const std::int64_t waited = now - before - (kernel_.work_ns() - worked_before);
    // If one entry stands for each huge page, `tried` is smaller than the number of list entries.
    const bool folded = tried < done_ - start;
    const bool dense = !folded && span.huge_pages * 8 <= span.entries;
    pace.learn(tried, now - before, waited, dense);
    const bool short_enough = now - before <= kSliceNs + 2 * pace.fixed_ns();
    const std::size_t huge_now = folded ? tried : span.huge_pages;
    huge_pages = short_enough ? std::max(few, 4 * huge_now) : few;
    if (done_ >= request_.count || pause_wanted(now)) return;
    // The call of Pause may have taken long.
    before = last_pause_ns_ == now ? kernel_.now_ns() : now;
  }
}

// Returns the entries from `start` on that lie in at most `most_huge_pages` ranges of a huge page;
// at most `most` entries.
Driver::Span Driver::span_of(std::size_t start, std::size_t most,
                             std::size_t most_huge_pages) const noexcept {
  const std::uintptr_t* pages = request_.pages + start;
  const std::size_t bytes = kernel_.huge_page_bytes;
  most = std::min(most, request_.count - start);
  if (bytes == 0) return {most, 0};
  Span span = {0, 0};
  std::uintptr_t huge_page = 0;
  for (; span.entries < most; ++span.entries) {
    const std::uintptr_t page = pages[span.entries];
    if (span.huge_pages > 0 && page - huge_page < bytes) continue;
    if (span.huge_pages == most_huge_pages) break;
    huge_page = page / bytes * bytes;
    ++span.huge_pages;
  }
  return span;
}

Outcome move_pages(const Request& request, const Pause& pause, const Kernel& kernel) noexcept {
  if (kernel.begin != nullptr) kernel.begin();
  return Driver(request, pause, kernel).run();
}

}  // namespace movepages
