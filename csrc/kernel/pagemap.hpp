// What the page tables tell without asking for pages one by one: /proc/PID/pagemap, and its ioctl
// PAGEMAP_SCAN since Linux 6.7. Neither tells a node.
#pragma once

#include <unistd.h>

#include <cstddef>
#include <cstdint>

namespace movepages {

std::size_t page_bytes() noexcept;

// What one entry of a page middle directory spans, which is what a huge page is the size of. Where
// the kernel has no transparent ones to tell it of, a page of the system's size is taken to hold
// entries of 8 bytes for one page each. A larger one (1 GiB) is taken for several of these.
std::size_t frame_bytes() noexcept;

// An entry of the file. Documentation/admin-guide/mm/pagemap.rst
constexpr std::uint64_t kPagePresent = std::uint64_t{1} << 63;
constexpr std::uint64_t kPageSwapped = std::uint64_t{1} << 62;
constexpr std::uint64_t kPageOfFile = std::uint64_t{1} << 61;
constexpr std::uint64_t kPageGuard = std::uint64_t{1} << 58;
constexpr std::uint64_t kPageExclusive = std::uint64_t{1} << 56;
// 0 to whoever opened the file without CAP_SYS_ADMIN.
constexpr std::uint64_t kPageFrameNumber = (std::uint64_t{1} << 55) - 1;

// The file of a process, opened when it is first wanted.
class Pagemap {
 public:
  explicit Pagemap(int pid) noexcept : pid_(pid) {}
  ~Pagemap() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Pagemap(const Pagemap&) = delete;
  Pagemap& operator=(const Pagemap&) = delete;

  // Or -errno.
  int descriptor() noexcept;
  // Entries of `count` pages from `page` on: how many the kernel gave, or -errno. 0 is the end.
  long read(std::uintptr_t page, std::size_t count, std::uint64_t* entries) noexcept;

 private:
  static constexpr int kNotOpened = -1'000'000;
  const int pid_;
  int descriptor_ = kNotOpened;
};

// struct page_region of include/uapi/linux/fs.h, restated because the headers of most systems are
// older than 6.7. What PAGEMAP_SCAN finds: neighbours of the same categories.
struct Region {
  std::uint64_t start;
  std::uint64_t end;
  std::uint64_t categories;
};
constexpr std::uint64_t kScanPresent = 1 << 3;
constexpr std::uint64_t kScanSwapped = 1 << 4;
constexpr std::uint64_t kScanZero = 1 << 5;
constexpr std::uint64_t kScanHuge = 1 << 6;
constexpr std::uint64_t kScanGuard = 1 << 8;  // since Linux 6.15, EINVAL before

struct Scan {
  std::uintptr_t start;
  std::uintptr_t end;
  std::uint64_t inverted = 0;
  std::uint64_t all_of = 0;
  std::uint64_t any_of = 0;
  std::uint64_t told = 0;
  std::uint64_t max_pages = 0;  // 0: any number
};

// How many regions it wrote, or -errno: ENOTTY before Linux 6.7. `start` is put to how far it came.
// What is not mapped is passed over in silence.
long scan(Pagemap& pagemap, Scan* what, Region* found, std::size_t room) noexcept;

// Whether what is called huge may be smaller than frame_bytes(): pages of hugetlbfs are, on arm64.
bool huge_is_ambiguous() noexcept;

// Writes at most `room` regions of [*start, end) that are mapped by huge pages, in address order,
// and puts into *start how far it came. How many, or -errno: ENOTTY before Linux 6.7.
long scan_huge(Pagemap& pagemap, std::uintptr_t* start, std::uintptr_t end, Region* found,
               std::size_t room) noexcept;

// Up to where in [start, end) all is mapped by huge pages: `start` where nothing is, or where the
// kernel does not tell, and then nothing is learnt by asking again if `known` is false.
struct HugeAnswer {
  std::uintptr_t until;
  bool known;
};
using HugeUntil = HugeAnswer(Pagemap& pagemap, std::uintptr_t start, std::uintptr_t end) noexcept;
HugeUntil huge_until;

}  // namespace movepages
