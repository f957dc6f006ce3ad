// A kernel whose memory is a formula, so that 10^10 pages take no room: all pages are present, in
// huge pages or small ones, or one page in `every` is. Its clock advances by what calls cost on
// real machines. It knows where each page is wanted, and stops the program if a page goes
// elsewhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernel/kernel.hpp"
#include "survey/presence.hpp"

namespace scaling {

constexpr std::uintptr_t kStart = std::uintptr_t{1} << 44;
constexpr std::size_t kPageBytes = 4096;
constexpr std::size_t kHugePagePages = 512;

// What calls cost, in ns. Rates of migration: published for two sockets of Zen 3, 3.31 GB/s of
// small pages and 11.02 GB/s of huge pages. The others were measured on Linux 6.12 and 6.18.
constexpr double kMovePage = 1'240;
constexpr double kMoveHugePage = 190'000;
constexpr double kQueryCall = 1'000;
constexpr double kQueryPage = 250;
constexpr double kQueryHugePage = 350;
constexpr double kScanCall = 1'000;
constexpr double kScanPage = 20;
constexpr double kScanHugePage = 100;

struct Memory {
  std::size_t pages;
  std::size_t every;  // one page in so many is present
  std::size_t first;  // blocks of one huge page are wanted on each node in turn, from this one on
  std::size_t nodes;
  bool huge;
};

// What the driver and the survey asked of the kernel.
struct Counts {
  std::int64_t moving_calls;
  std::int64_t queries;
  std::int64_t scans;
  std::int64_t entries;  // of all lists
  std::int64_t moved;    // pages
  std::int64_t clock_ns;
  std::int64_t longest_ns;  // the longest moving call
};

class Kernel {
 public:
  Kernel(const Memory& memory, std::int64_t fixed_ns);

  long move_pages(std::size_t count, const std::uintptr_t* pages, const std::int32_t* nodes,
                  std::int32_t* status);
  // The next stretch of pages from `at` on with one kind of page table entry.
  movepages::PresenceRun stretch(std::uintptr_t at) const;
  std::uintptr_t end() const { return kStart + memory_.pages * kPageBytes; }
  const Memory& memory() const { return memory_; }
  std::int32_t wanted(std::size_t page) const;
  void spend(double ns) { clock_ += ns; }
  // The part of the time for which the kernel waited for all CPUs.
  std::int64_t waited() const { return waited_; }
  std::int64_t now() const { return static_cast<std::int64_t>(clock_); }
  std::size_t not_placed() const;

  Counts counts = {};

 private:
  // Moves are in address order, except within a window of this many pages or huge pages.
  static constexpr std::size_t kWindow = std::size_t{1} << 18;

  std::size_t unit_of(std::uintptr_t address) const;
  std::int32_t node_of(std::size_t unit) const;
  // These count the units that are present.
  std::int32_t wanted_unit(std::size_t unit) const;
  bool is_placed(std::size_t unit) const;
  void place(std::size_t unit);

  const Memory memory_;
  const std::int64_t fixed_ns_;
  const std::size_t unit_pages_;  // pages that move together
  const std::size_t units_;       // that are present
  double clock_ = 1;
  std::int64_t waited_ = 0;
  std::size_t placed_ = 0;   // all units below this one are where they are wanted
  std::vector<bool> moved_;  // of the window from placed_ on, by unit modulo kWindow
};

// The kernel that the table, and scans of page tables, ask.
extern Kernel* current;
movepages::Kernel table();

}  // namespace scaling
