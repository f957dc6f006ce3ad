// What the page tables hold in a range, as stretches of one kind. Empty parts and huge pages are
// cheap. Nodes are not in the page tables.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernel/pagemap.hpp"

namespace movepages {

enum class Presence : std::uint8_t {
  kNothing,    // no entry: never touched, given back, or nothing mapped
  kPage,       // mapped
  kHugePage,   // pieces of huge pages
  kZeroPage,   // the shared page of zeros
  kSwapped,    // no page but an entry: swapped out, on its way to another place, a marker
  kGuard,      // a guard region: access is forbidden; told since Linux 6.15
  kOwnPage,    // before Linux 6.7: mapped, and by this process alone
  kPageOrZero  // before Linux 6.7: mapped otherwise
};
constexpr const char* kPresenceNames[] = {"nothing", "page",  "huge page", "zero page",
                                          "swapped", "guard", "own page",  "page or zero"};

// The kind of an entry of pagemap, which does not tell huge pages and the zero page from other
// pages.
Presence presence_of(std::uint64_t entry) noexcept;

struct PresenceRun {
  std::uintptr_t start;
  std::uintptr_t end;
  Presence what;
};

// Goes through [start, end), both on page borders, in address order and without a gap.
class PresenceWalk {
 public:
  // kScanOnly gives up where there is no PAGEMAP_SCAN; reading pagemap instead is slow and tells
  // less.
  enum Means { kAnyMeans, kScanOnly };

  PresenceWalk(Pagemap& pagemap, std::uintptr_t start, std::uintptr_t end,
               Means means = kAnyMeans) noexcept
      : pagemap_(pagemap), means_(means), at_(start), end_(end), asked_(start) {}

  // The next stretch; false at the end, or where the kernel tells nothing: see error().
  bool next(PresenceRun* run) noexcept;
  long error() const noexcept { return error_; }

 private:
  static constexpr std::size_t kRoom = 128;

  bool refill() noexcept;
  bool refill_by_scan() noexcept;
  bool scans_at_all() const noexcept;
  long scan_ahead(std::uintptr_t end, Region* regions) noexcept;
  bool refill_by_read() noexcept;

  Pagemap& pagemap_;
  const Means means_;
  std::uintptr_t at_;  // how far next() has come
  const std::uintptr_t end_;
  std::uintptr_t asked_;  // up to where `found_` tells
  PresenceRun found_[kRoom];
  std::size_t given_ = 0;
  std::size_t filled_ = 0;
  long error_ = 0;
};

// The highest address, at most `end`, for which [start, address) has no more than `most` pages with
// an entry in the page tables; pages without one cost almost nothing. On failure 0, and the reason
// in `error`: -ENOTTY before Linux 6.7.
std::uintptr_t reach(Pagemap& pagemap, std::uintptr_t start, std::uintptr_t end, std::uint64_t most,
                     long* error);

}  // namespace movepages
