// Reads the page tables for many pages at a time, from /proc/PID/pagemap and, since Linux 6.7, with
// its ioctl PAGEMAP_SCAN. Neither reports the node of a page.
#pragma once

#include <unistd.h>

#include <cstddef>
#include <cstdint>

namespace movepages {

std::size_t page_bytes() noexcept;

// The size of a huge page: the span of one entry of a page middle directory (PMD). A kernel without
// transparent huge pages does not report it. It then follows from page tables of one page each with
// entries of 8 bytes. A larger huge page (1 GiB) counts as several of these.
std::size_t huge_page_bytes() noexcept;

// The bits of an entry in the file. Documentation/admin-guide/mm/pagemap.rst
constexpr std::uint64_t kPagePresent = std::uint64_t{1} << 63;
constexpr std::uint64_t kPageSwapped = std::uint64_t{1} << 62;
constexpr std::uint64_t kPageOfFile = std::uint64_t{1} << 61;
constexpr std::uint64_t kPageGuard = std::uint64_t{1} << 58;
constexpr std::uint64_t kPageExclusive = std::uint64_t{1} << 56;
constexpr std::uint64_t kPageFrameNumber = (std::uint64_t{1} << 55) - 1;

// The pagemap file of a process, opened at its first use.
class Pagemap {
 public:
  explicit Pagemap(int pid) noexcept : pid_(pid) {}
  ~Pagemap() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Pagemap(const Pagemap&) = delete;
  Pagemap& operator=(const Pagemap&) = delete;

  // The file descriptor, or -errno.
  int descriptor() noexcept;
  // Reads the entries of `count` pages, starting at `page`. Returns how many entries the kernel
  // wrote, or -errno. 0 means the end of the address space.
  long read(std::uintptr_t page, std::size_t count, std::uint64_t* entries) noexcept;

 private:
  static constexpr int kNotOpened = -1'000'000;
  const int pid_;
  int descriptor_ = kNotOpened;
  unsigned opened_after_ = 0;  // forks, if the file is the process's own
};

// Whether this process can read page frame numbers. Without CAP_SYS_ADMIN they read as 0.
bool shows_frame_numbers() noexcept;

// struct page_region of include/uapi/linux/fs.h, restated because the headers of most systems are
// older than 6.7. PAGEMAP_SCAN returns one region for adjacent pages with the same categories.
struct Region {
  std::uint64_t start;
  std::uint64_t end;
  std::uint64_t categories;
};
constexpr std::uint64_t kScanPresent = 1 << 3;
constexpr std::uint64_t kScanSwapped = 1 << 4;
constexpr std::uint64_t kScanZero = 1 << 5;
constexpr std::uint64_t kScanHuge = 1 << 6;
constexpr std::uint64_t kScanGuard = 1 << 8;  // EINVAL on kernels without it

struct Scan {
  std::uintptr_t start;
  std::uintptr_t end;
  std::uint64_t inverted = 0;
  std::uint64_t all_of = 0;
  std::uint64_t any_of = 0;
  std::uint64_t told = 0;
  std::uint64_t max_pages = 0;  // 0: any number
};

// Returns the number of regions written, or -errno: -ENOTTY before Linux 6.7. Sets `start` to where
// the scan stopped. Skips unmapped ranges silently.
long scan(Pagemap& pagemap, Scan* what, Region* found, std::size_t room) noexcept;

// Whether PAGEMAP_SCAN may report pages smaller than huge_page_bytes() as huge, such as those of
// hugetlbfs on arm64.
bool huge_is_ambiguous() noexcept;

// Writes at most `room` regions of [*start, end) that are mapped by huge pages, in address order,
// without those of the huge zero page, and sets *start to where the scan stopped. Returns the
// number of regions, or -errno: -ENOTTY before Linux 6.7.
long scan_huge(Pagemap& pagemap, std::uintptr_t* start, std::uintptr_t end, Region* found,
               std::size_t room) noexcept;

// `until` is the end of the range that huge pages map from `start` without a gap. It equals `start`
// if no huge page maps the first page, or if the kernel does not report huge pages. `known` is
// false if asking again cannot help.
struct HugeAnswer {
  std::uintptr_t until;
  bool known;
};
using HugeUntil = HugeAnswer(Pagemap& pagemap, std::uintptr_t start, std::uintptr_t end) noexcept;
HugeUntil huge_until;

}  // namespace movepages
