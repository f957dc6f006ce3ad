// The content of the page tables in a range, as stretches of one kind. Walking empty parts and huge
// pages is cheap. The page tables do not hold nodes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernel/pagemap.hpp"

namespace movepages {

enum class Presence : std::uint8_t {
  kNothing,    // no entry: never touched, freed, or not mapped
  kPage,       // mapped
  kHugePage,   // pieces of huge pages
  kZeroPage,   // the shared zero page
  kSwapped,    // an entry without a page: swapped out, being migrated, or a marker
  kGuard,      // a guard region: access is forbidden; reported since Linux 6.15
  kOwnPage,    // before Linux 6.7: mapped by this process alone
  kPageOrZero  // before Linux 6.7: any other mapped page, or the zero page
};
constexpr const char* kPresenceNames[] = {"nothing", "page",  "huge page", "zero page",
                                          "swapped", "guard", "own page",  "page or zero"};

// The kind of a pagemap entry. An entry does not tell huge pages or the zero page from other pages.
Presence presence_of(std::uint64_t entry) noexcept;

struct PresenceRun {
  std::uintptr_t start;
  std::uintptr_t end;
  Presence what;
};

// Walks [start, end) in address order and without a gap. Both ends are on page boundaries.
class PresenceWalk {
 public:
  // kScanOnly gives up if there is no PAGEMAP_SCAN; reading pagemap instead is slow and less
  // precise.
  enum Means { kAnyMeans, kScanOnly };

  PresenceWalk(Pagemap& pagemap, std::uintptr_t start, std::uintptr_t end,
               Means means = kAnyMeans) noexcept
      : pagemap_(pagemap), means_(means), at_(start), end_(end), asked_(start) {}

  // Gets the next stretch; false at the end, or if the kernel does not answer: see error().
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
  std::uintptr_t asked_;  // `found_` covers addresses up to here
  PresenceRun found_[kRoom];
  std::size_t given_ = 0;
  std::size_t filled_ = 0;
  long error_ = 0;
};

// Returns the highest address, at most `end`, for which [start, address) has no more than `most`
// pages with an entry in the page tables. Pages without an entry cost almost nothing. On failure,
// returns 0 and sets `error`: -ENOTTY before Linux 6.7.
std::uintptr_t reach(Pagemap& pagemap, std::uintptr_t start, std::uintptr_t end, std::uint64_t most,
                     long* error);

}  // namespace movepages
