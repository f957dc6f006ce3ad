#include "survey/presence.hpp"

#include <errno.h>

#include <algorithm>
#include <vector>

namespace movepages {
namespace {

Presence of_categories(std::uint64_t categories) noexcept {
  if (categories & kScanGuard) return Presence::kGuard;
  if (categories & kScanSwapped) return Presence::kSwapped;
  if (categories & kScanZero) return Presence::kZeroPage;
  if (!(categories & kScanPresent)) return Presence::kNothing;
  return categories & kScanHuge ? Presence::kHugePage : Presence::kPage;
}

Presence of_entry(std::uint64_t entry) noexcept {
  const Presence what = presence_of(entry);
  if (what != Presence::kPage) return what;
  return entry & kPageExclusive ? Presence::kOwnPage : Presence::kPageOrZero;
}

}  // namespace

Presence presence_of(std::uint64_t entry) noexcept {
  if (entry & kPageGuard) return Presence::kGuard;
  if (entry & kPageSwapped) return Presence::kSwapped;
  return entry & kPagePresent ? Presence::kPage : Presence::kNothing;
}

bool PresenceWalk::next(PresenceRun* run) noexcept {
  if (at_ >= end_) return false;
  if (given_ == filled_ && at_ >= asked_ && !refill()) return false;
  if (given_ == filled_) {
    *run = {at_, asked_, Presence::kNothing};
  } else if (at_ < found_[given_].start) {
    *run = {at_, found_[given_].start, Presence::kNothing};
  } else {
    *run = found_[given_++];
  }
  at_ = run->end;
  return true;
}

bool PresenceWalk::refill() noexcept {
  given_ = filled_ = 0;
  error_ = 0;
  return refill_by_scan() || (error_ == -ENOTTY && means_ == kAnyMeans && refill_by_read());
}

long PresenceWalk::scan_ahead(std::uintptr_t end, Region* regions) noexcept {
  constexpr std::uint64_t kTold = kScanPresent | kScanSwapped | kScanZero | kScanHuge;
  Scan all = {at_, end, 0, 0, kScanPresent | kScanSwapped | kScanGuard, kTold | kScanGuard};
  const long count = scan(pagemap_, &all, regions, kRoom);
  if (count != -EINVAL) return count;
  all.any_of &= ~kScanGuard;
  all.told = kTold;
  return scan(pagemap_, &all, regions, kRoom);
}

// Whether scans work at all: a sandbox may refuse every scan, with any errno. This one scans a page
// that is certainly mapped.
bool PresenceWalk::scans_at_all() const noexcept {
  Region region;
  const auto here = reinterpret_cast<std::uintptr_t>(&region) / page_bytes() * page_bytes();
  Scan one = {here, here + page_bytes(), 0, 0, kScanPresent, kScanPresent};
  return scan(pagemap_, &one, &region, 1) >= 0;
}

bool PresenceWalk::refill_by_scan() noexcept {
  Region regions[kRoom];
  std::uintptr_t end = end_;
  long count = scan_ahead(end, regions);
  if (count == -EFAULT && !scans_at_all()) {
    error_ = count;
    return false;
  }
  // The kernel refuses a range that extends beyond the address space of the process, so it is
  // halved until it fits.
  while (count == -EFAULT && end - at_ > page_bytes()) {
    end = at_ + std::max((end - at_) / 2 / page_bytes(), std::uintptr_t{1}) * page_bytes();
    count = scan_ahead(end, regions);
  }
  if (count == -EFAULT) {
    asked_ = end_;
    return true;
  }
  error_ = std::min(count, 0L);
  if (error_ < 0) return false;
  const bool ambiguous = huge_is_ambiguous();
  for (long i = 0; i < count; ++i) {
    const Presence what = of_categories(regions[i].categories);
    found_[filled_++] = {static_cast<std::uintptr_t>(regions[i].start),
                         static_cast<std::uintptr_t>(regions[i].end),
                         ambiguous && what == Presence::kHugePage ? Presence::kPage : what};
  }
  // A full buffer ends the scan somewhere after its last region, so the next scan starts at the end
  // of that region.
  asked_ = count == static_cast<long>(kRoom) ? found_[filled_ - 1].end : end;
  return true;
}

bool PresenceWalk::refill_by_read() noexcept {
  std::uint64_t entries[512];
  const std::size_t wanted = std::min<std::size_t>((end_ - at_) / page_bytes(), 512);
  const long got = pagemap_.read(at_, wanted, entries);
  error_ = std::min(got, 0L);
  if (error_ != 0) return false;
  const auto count = static_cast<std::size_t>(got);
  std::uintptr_t page = at_;
  std::size_t i = 0;
  for (; i < count; ++i, page += page_bytes()) {
    const Presence what = of_entry(entries[i]);
    if (what == Presence::kNothing) continue;
    if (filled_ > 0 && found_[filled_ - 1].end == page && found_[filled_ - 1].what == what) {
      found_[filled_ - 1].end = page + page_bytes();
    } else if (filled_ < kRoom) {
      found_[filled_++] = {page, page + page_bytes(), what};
    } else {
      break;
    }
  }
  // The file ends at the last address of the process.
  asked_ = count == 0 ? end_ : page;
  return true;
}

std::uintptr_t reach(Pagemap& pagemap, std::uintptr_t start, std::uintptr_t end, std::uint64_t most,
                     long* error) {
  constexpr std::size_t kRoom = 1024;
  std::vector<Region> regions(kRoom);
  std::uint64_t held = kScanPresent | kScanSwapped | kScanGuard;
  std::uintptr_t until = end;
  while (start < until && most > 0) {
    Scan what = {start, until, 0, 0, held, 0, most};
    const long count = scan(pagemap, &what, regions.data(), kRoom);
    if (count == -EINVAL && (held & kScanGuard)) {
      held &= ~kScanGuard;
      continue;
    }
    // The kernel refuses a range that extends beyond the address space of the process. Nothing is
    // mapped there.
    if (count == -EFAULT) {
      if (until - start <= page_bytes()) return end;
      until =
          start + std::max((until - start) / 2 / page_bytes(), std::uintptr_t{1}) * page_bytes();
      continue;
    }
    *error = std::min(count, 0L);
    if (count < 0) return 0;
    for (long i = 0; i < count; ++i) {
      const auto pages = (regions[i].end - regions[i].start) / page_bytes();
      most -= std::min<std::uint64_t>(pages, most);
    }
    if (count < static_cast<long>(kRoom) && most > 0) {
      if (until == end) return end;
      start = until;
      until = end;
    } else {
      start = static_cast<std::uintptr_t>(regions[count - 1].end);
    }
  }
  return start;
}

}  // namespace movepages
