#include "trial.hpp"

#include <algorithm>
#include <set>

#include "check.hpp"
#include "kernel/hidden.hpp"

using model::Fate;
using movepages::kNotAttempted;

std::vector<std::uintptr_t> small_pages(model::Kernel& kernel, std::size_t count) {
  std::vector<std::uintptr_t> pages(count);
  for (std::uintptr_t& page : pages) page = kernel.add({});
  return pages;
}

std::vector<std::uintptr_t> pieces(model::Kernel& kernel, const model::Folio& folio) {
  std::vector<std::uintptr_t> pages(folio.size);
  const std::uintptr_t head = kernel.add(folio);
  for (std::size_t k = 0; k < pages.size(); ++k) pages[k] = model::Kernel::piece(head, k);
  return pages;
}

std::vector<std::uintptr_t> huge_pages(model::Kernel& kernel, std::size_t count, int failures) {
  std::vector<std::uintptr_t> pages;
  for (std::size_t n = 0; n < count; ++n) {
    const std::uintptr_t head = kernel.add_huge({0, 0, 1, failures});
    for (std::size_t k = 0; k < model::kHugePagePages; ++k) {
      pages.push_back(model::Kernel::piece(head, k));
    }
  }
  return pages;
}

bool Trial::asked(void* context) noexcept {
  auto& trial = *static_cast<Trial*>(context);
  const std::lock_guard lock(trial.kernel.turn);
  CHECK(!trial.stopped_);
  const std::int64_t slice_ns = trial.kernel.clock_ns - trial.last_pause_ns_;
  // Waiting for other threads takes time of its own.
  CHECK(slice_ns >= movepages::kSliceNs || trial.threads > 1);
  trial.longest_slice_ns = std::max(trial.longest_slice_ns, slice_ns);
  trial.last_pause_ns_ = trial.kernel.clock_ns;
  trial.stopped_ = trial.pauses++ == trial.pause_after;
  // With several threads, another one may write it now.
  if (trial.threads == 1) trial.last_when_stopped = trial.status.back();
  trial.moving_calls_when_stopped_ = trial.kernel.moving_calls;
  return trial.stopped_;
}

void Trial::run() {
  kernel.watch(pages);
  kernel.pid = pid;
  kernel.calls = kernel.moving_calls = kernel.looked_at = kernel.retried = kernel.error = 0;
  kernel.lost = kernel.no_memory = false;
  kernel.errors.clear();
  kernel.threaded = threads > 1;
  pauses = 0;
  longest_slice_ns = 0;
  stopped_ = false;
  last_pause_ns_ = kernel.clock_ns;
  // Each moving call processes at least one entry, and few entries are moved or queried again.
  kernel.call_limit = 2 * (8 * static_cast<long>(pages.size()) + 32 * static_cast<long>(threads));
  status.assign(pages.size(), untold ? kNotAttempted : kUnwritten);
  was_huge_.clear();
  for (const std::uintptr_t page : pages) was_huge_.push_back(kernel.is_huge(page));
  const movepages::Target target = {each.empty() ? nullptr : each.data(), all};
  const movepages::Request request = {
      pid,  pages.size(), pages.data(), moves ? &target : nullptr, status.data(), flags,
      pace, untold,       threads};
  outcome = movepages::move_pages(request, {asked, this}, model::Kernel::table());
  check_outcome();
  if (!moves) return check_query();
  for (std::size_t i = 0; i < pages.size(); ++i) check_page(i);
}

void Trial::check_outcome() const {
  CHECK(outcome.interrupted == stopped_);
  // Other threads end the calls that they have begun.
  if (stopped_ && threads == 1) CHECK(kernel.moving_calls == moving_calls_when_stopped_);
  CHECK(kernel.retried == 0);
  for (std::size_t i = outcome.told; i < status.size(); ++i) CHECK(status[i] == kNotAttempted);
  if (outcome.rejected) {
    // This one call finds out why a node is unusable.
    CHECK(kernel.looked_at <= 1);
    CHECK(outcome.error == -EINVAL || outcome.error == -ENODEV || outcome.error == -EACCES);
    for (const std::int32_t value : status) CHECK(value == kNotAttempted);
  } else {
    // Threads share a series of EINTR among them, and then each may try again often enough.
    std::set<long> errors = kernel.errors;
    if (errors == std::set<long>{-EINTR}) errors.insert(0);
    CHECK(outcome.error == kernel.error || (threads > 1 && errors.count(outcome.error) > 0));
  }
}

void Trial::check_query() const {
  CHECK(kernel.moving_calls == 0);
  bool untold = false;
  for (std::size_t i = 0; i < pages.size(); ++i) {
    if (status[i] == kNotAttempted) {
      CHECK(outcome.error != 0 || outcome.interrupted);
      untold = true;
    } else {
      CHECK(!untold || scattered);
      CHECK(status[i] == place(i));
    }
  }
  if (outcome.error == 0 && !outcome.interrupted) CHECK(!untold);
}

// The place that the driver can find out. A hidden page of another process shows its node only to a
// move.
std::int32_t Trial::place(std::size_t i) const {
  const std::int32_t node = kernel.truth(pages[i]);
  if (!kernel.version.hides_pages) return kernel.stat(pages[i]);
  return pid == 0 || moves || kernel.stat(pages[i]) == node ? node : movepages::kHidden;
}

bool Trial::nothing_keeps(std::size_t i) const {
  if (place(i) < 0 || !each.empty() || kernel.free[all] < LONG_MAX / 4) return false;
  const model::Page& page = kernel.page(pages[i]);
  const model::Folio& folio = kernel.folio(pages[i]);
  const bool shared = page.shared && !(flags & model::kMoveAll);
  return !shared && page.hidings == 0 && !folio.troubled && folio.isolable && !folio.hugetlb;
}

// Whether `said` is a possible reason for a page to be on another node than wanted.
bool Trial::failed_for(std::int32_t said, model::Entry entry) const {
  const bool full = said == -ENOMEM && kernel.no_memory;
  if (entry.fate == Fate::kRefused) return said == entry.refusal;
  if (entry.fate == Fate::kNoMemory) return full;
  // A failed batch is moved once more, which the model does not record.
  return said == -EBUSY || (entry.fate == Fate::kFailed && full);
}

void Trial::check_page(std::size_t i) const {
  const std::int32_t said = status[i];
  const std::int32_t now = place(i);
  const bool arrived = now == wanted(i);
  const model::Entry entry = kernel.entries[i];
  // The model does not record the fate of an entry that stands for the pieces of a huge page.
  const bool untold = was_huge_[i] && entry.fate == Fate::kUntried;
  const bool tried = entry.fate != Fate::kUntried && entry.fate != Fate::kHidden;
  const bool ended =
      (outcome.error != 0 && outcome.error != -ENOMEM) || outcome.interrupted || outcome.rejected;
  check::page = {i, said, now, wanted(i), static_cast<int>(entry.fate)};
  CHECK(entry.fate != Fate::kQueued);
  CHECK(tried || ended || untold);
  if (said == kNotAttempted) {
    // A tried page has no answer only if the kernel stopped giving answers.
    CHECK(ended);
    if (tried || (entry.fate == Fate::kHidden && arrived)) CHECK(kernel.lost);
  } else if (arrived) {
    CHECK(said == now);
  } else if (now >= 0 && entry.refusal == -ENOENT) {
    // The page was hidden from the move. The model does not record the later tries.
    CHECK(said == -EBUSY || said == -EACCES || said == -ENOMEM || (ended && said == -ENOENT));
  } else if (untold) {
    const bool refused = said == -EACCES && kernel.page(pages[i]).shared;
    CHECK(said == now || refused || failed_for(said, {Fate::kFailed, 0}));
  } else {
    // A page that moved may have been on its target until another entry moved it away. One that
    // another thread has in hand looks absent, and the reason why it did not move is lost.
    const bool moved = now >= 0 && kernel.folio(pages[i]).moves > 0;
    const bool in_hand = now >= 0 && threads > 1;
    CHECK(tried || (moved && in_hand));
    CHECK((now < 0 ? said == now : failed_for(said, entry)) ||
          ((moved || in_hand) && said == -EBUSY));
  }
  if (!ended && nothing_keeps(i)) CHECK(arrived);
}
