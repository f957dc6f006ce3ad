#include <algorithm>

#include "driver/driver.hpp"

namespace movepages {
namespace {

constexpr std::size_t kRecheck = 256;
constexpr int kRetriesOfHidden = 3;

bool failed(std::int32_t status) noexcept {
  return status == -EBUSY || status == -EACCES || status == -ENOMEM;
}

bool looks_absent(std::int32_t status) noexcept { return status == -ENOENT || status == -EFAULT; }

}  // namespace

bool Driver::in_doubt(std::int32_t status) const noexcept {
  return status == kNotAttempted || failed(status) || (query_.hides() && looks_absent(status));
}

// Asks the kernel where pages in [begin, end) are now and corrects their statuses. A page off its
// target without a status gets `fallback`.
bool Driver::recheck(std::size_t begin, std::size_t end, Doubt doubt,
                     std::int32_t fallback) noexcept {
  std::size_t index[kRecheck];
  std::uintptr_t pages[kRecheck];
  std::int32_t now[kRecheck];
  for (std::size_t i = begin; i < end;) {
    std::size_t count = 0;
    for (; i < end && count < kRecheck; ++i) {
      if (doubt != Doubt::kEveryPage) {
        // Most statuses are nodes, so the first comparison alone decides for most pages.
        const std::int32_t status = request_.status[i];
        if (status >= 0 || (doubt == Doubt::kMissing && !in_doubt(status))) continue;
      }
      index[count] = i;
      pages[count++] = request_.pages[i];
    }
    if (count == 0) break;
    const std::size_t first = index[0];
    long ret = query_.ask(pages, count, now);
    if (query_.hides() && ret == 0 && fallback != kNotAttempted) {
      ret = move_revealed(index, pages, now, count);
    }
    if (ret == 0) {
      // Collects the pages with no better answer than `fallback` at the front of the arrays.
      std::size_t unexplained = 0;
      for (std::size_t k = 0; k < count; ++k) {
        const bool untold = request_.status[index[k]] == kNotAttempted;
        // The move knew more of a page than a query finds out.
        if (now[k] == kHidden && doubt != Doubt::kEveryPage && failed(request_.status[index[k]])) {
          continue;
        }
        set_status(index[k], now[k], fallback);
        if (!untold || request_.status[index[k]] != -EBUSY) continue;
        index[unexplained] = index[k];
        pages[unexplained++] = pages[k];
      }
      if (unexplained > 0 && !last_turn_) ret = ask_why(index, pages, unexplained);
    }
    if (ret != 0) {
      outcome_.error = ret;
      forget(first, end, doubt);
      return false;
    }
  }
  return true;
}

// Marks statuses in doubt as unknown, because the kernel cannot be asked again.
void Driver::forget(std::size_t begin, std::size_t end, Doubt doubt) noexcept {
  for (std::size_t i = begin; i < end; ++i) {
    const std::int32_t status = request_.status[i];
    if (doubt == Doubt::kEveryPage || (doubt == Doubt::kFailures && status < 0) ||
        in_doubt(status)) {
      request_.status[i] = kNotAttempted;
    }
  }
}

// Moves those of the pages just queried that were hidden from the move and are visible now. The
// kernel may hide a page again at any moment, so each page gets a few tries.
long Driver::move_revealed(const std::size_t* index, const std::uintptr_t* pages, std::int32_t* now,
                           std::size_t count) noexcept {
  for (int tries = 0; tries < kRetriesOfHidden; ++tries) {
    std::size_t which[kRecheck];
    std::uintptr_t again[kRecheck];
    std::int32_t nodes[kRecheck];
    std::int32_t status[kRecheck];
    std::size_t pending = 0;
    for (std::size_t k = 0; k < count; ++k) {
      const std::size_t i = index[k];
      if (!looks_absent(request_.status[i]) || now[k] < 0 || now[k] == wanted(i)) continue;
      which[pending] = k;
      again[pending] = pages[k];
      nodes[pending] = wanted(i);
      ++pending;
    }
    if (pending == 0) return 0;
    if (tries > 0) {
      const long ret = query_.ask(again, pending, status);
      if (ret != 0) return ret;
    }
    const Outcome outcome = run_within(again, pending, {nodes, 0}, status, false);
    const bool last = tries + 1 == kRetriesOfHidden;
    for (std::size_t k = 0; k < pending; ++k) {
      const std::size_t i = index[which[k]];
      if (status[k] == nodes[k]) {
        now[which[k]] = status[k];
      } else if (!looks_absent(status[k]) || last) {
        // A page that the kernel saw keeps the reason why it did not move. A page that was hidden
        // each time is busy.
        request_.status[i] = looks_absent(status[k]) ? -EBUSY : status[k];
      }
    }
    if (!goes_on_after(outcome.error)) return outcome.error;
  }
  return 0;
}

void Driver::set_status(std::size_t i, std::int32_t now, std::int32_t fallback) noexcept {
  std::int32_t& status = request_.status[i];
  if (now == wanted(i)) {
    status = now;
  } else if (status == kNotAttempted && fallback == kNotAttempted) {
    return;
  } else if (now < 0) {
    status = now;
  } else if (status == kNotAttempted) {
    status = fallback;
  } else if (status >= 0 || looks_absent(status)) {
    // It came into memory meanwhile, or another thread was moving it.
    status = -EBUSY;
  }
}

// A batch that failed for a number of pages gives no reason. Its pages are busy, or the pieces of a
// huge page that the kernel split have filled their target; the kernel drops the error of the split
// (migrate_pages()). Moved once more on their own, the pages get their own answers.
long Driver::ask_why(const std::size_t* index, const std::uintptr_t* pages,
                     std::size_t count) noexcept {
  std::int32_t nodes[kRecheck];
  std::int32_t status[kRecheck];
  for (std::size_t k = 0; k < count; ++k) nodes[k] = wanted(index[k]);
  const Outcome outcome = run_within(pages, count, {nodes, 0}, status, true);
  for (std::size_t k = 0; k < count; ++k) {
    if (status[k] != kNotAttempted) request_.status[index[k]] = status[k];
  }
  return goes_on_after(outcome.error) ? 0 : outcome.error;
}

}  // namespace movepages
