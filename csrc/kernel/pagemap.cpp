#include "kernel/pagemap.hpp"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <initializer_list>
#include <memory>
#include <optional>

namespace movepages {
namespace {

struct PmScanArg {
  std::uint64_t size;
  std::uint64_t flags;
  std::uint64_t start;
  std::uint64_t end;
  std::uint64_t walk_end;
  std::uint64_t vec;
  std::uint64_t vec_len;
  std::uint64_t max_pages;
  std::uint64_t category_inverted;
  std::uint64_t category_mask;
  std::uint64_t category_anyof_mask;
  std::uint64_t return_mask;
};

constexpr unsigned long kPagemapScan = _IOWR('f', 16, PmScanArg);

std::optional<std::size_t> number_in(const char* path) noexcept {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path, "re"), std::fclose);
  std::size_t value = 0;
  if (!file || std::fscanf(file.get(), "%zu", &value) != 1) return std::nullopt;
  return value;
}

// Whether hugetlbfs has pages smaller than huge_page_bytes(), as on arm64 (64 KiB). PAGEMAP_SCAN
// reports these as huge, too.
bool small_hugetlb_pages(bool in_use) noexcept {
  static constexpr char kPools[] = "/sys/kernel/mm/hugepages";
  const std::unique_ptr<DIR, int (*)(DIR*)> pools(::opendir(kPools), ::closedir);
  while (const dirent* pool = pools ? ::readdir(pools.get()) : nullptr) {
    std::size_t kib = 0;
    if (std::sscanf(pool->d_name, "hugepages-%zukB", &kib) != 1 ||
        kib * 1024 >= huge_page_bytes()) {
      continue;
    }
    if (!in_use) return true;
    for (const char* count : {"nr_hugepages", "nr_overcommit_hugepages"}) {
      char path[sizeof kPools + sizeof pool->d_name + 32];
      std::snprintf(path, sizeof path, "%s/%s/%s", kPools, pool->d_name, count);
      if (number_in(path).value_or(0) > 0) return true;
    }
  }
  return false;
}

// The number of forks that led from the first caller to this process. It costs no system call, as
// getpid() would.
unsigned forks() noexcept {
  static std::atomic<unsigned> count{0};
  static const int registered = ::pthread_atfork(nullptr, nullptr, [] { ++count; });
  static_cast<void>(registered);
  return count;
}

}  // namespace

std::size_t page_bytes() noexcept {
  static const auto bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

std::size_t huge_page_bytes() noexcept {
  static const std::size_t told =
      number_in("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size").value_or(0);
  return told ? told : page_bytes() * page_bytes() / sizeof(std::uint64_t);
}

int Pagemap::descriptor() noexcept {
  // A file that was opened before a fork shows the child the memory of its parent.
  const unsigned forked = pid_ == 0 ? forks() : 0;
  if (descriptor_ != kNotOpened && opened_after_ == forked) return descriptor_;
  if (descriptor_ >= 0) ::close(descriptor_);
  opened_after_ = forked;
  char path[32] = "/proc/self/pagemap";
  if (pid_ != 0) std::snprintf(path, sizeof path, "/proc/%d/pagemap", pid_);
  descriptor_ = ::open(path, O_RDONLY | O_CLOEXEC);
  if (descriptor_ < 0) descriptor_ = -errno;
  return descriptor_;
}

long Pagemap::read(std::uintptr_t page, std::size_t count, std::uint64_t* entries) noexcept {
  if (descriptor() < 0) return descriptor();
  const auto offset = static_cast<off_t>(page / page_bytes() * sizeof *entries);
  const ssize_t got = ::pread(descriptor_, entries, count * sizeof *entries, offset);
  return got < 0 ? -errno : static_cast<long>(static_cast<std::size_t>(got) / sizeof *entries);
}

bool huge_is_ambiguous() noexcept {
  static const bool possible = small_hugetlb_pages(false);
  return possible && small_hugetlb_pages(true);
}

bool shows_frame_numbers() noexcept {
  std::uint64_t entry = 0;
  const auto here = reinterpret_cast<std::uintptr_t>(&entry);
  return Pagemap(0).read(here, 1, &entry) == 1 && (entry & kPageFrameNumber) != 0;
}

long scan(Pagemap& pagemap, Scan* what, Region* found, std::size_t room) noexcept {
  if (pagemap.descriptor() < 0) return pagemap.descriptor();
  PmScanArg arg = {};
  arg.size = sizeof arg;
  arg.start = what->start;
  arg.end = what->end;
  arg.vec = reinterpret_cast<std::uintptr_t>(found);
  arg.vec_len = room;
  arg.max_pages = what->max_pages;
  arg.category_inverted = what->inverted;
  arg.category_mask = what->all_of;
  arg.category_anyof_mask = what->any_of;
  arg.return_mask = what->told;
  const int count = ::ioctl(pagemap.descriptor(), kPagemapScan, &arg);
  if (count < 0) return -errno;
  what->start = static_cast<std::uintptr_t>(arg.walk_end);
  return count;
}

long scan_huge(Pagemap& pagemap, std::uintptr_t* start, std::uintptr_t end, Region* found,
               std::size_t room) noexcept {
  if (huge_is_ambiguous()) return -ENOTTY;
  // The huge zero page is no memory.
  Scan huge = {*start, end, kScanZero, kScanHuge | kScanZero, 0, kScanHuge};
  const long count = scan(pagemap, &huge, found, room);
  *start = huge.start;
  return count;
}

// A scan for small pages stops at the first such page, so it is cheap where all pages are small. It
// also skips unmapped ranges, so a second scan must confirm huge pages.
HugeAnswer huge_until(Pagemap& pagemap, std::uintptr_t start, std::uintptr_t end) noexcept {
  if (huge_is_ambiguous()) return {start, false};
  Region region;
  Scan other = {start, end, kScanHuge, kScanHuge, 0, kScanHuge, 1};
  long count = scan(pagemap, &other, &region, 1);
  // The kernel refuses a range that extends beyond the address space of the process.
  if (count == -EFAULT) {
    other.end = end = std::min<std::uintptr_t>(end, start + huge_page_bytes());
    count = scan(pagemap, &other, &region, 1);
  }
  if (count < 0) return {start, count != -ENOTTY && pagemap.descriptor() >= 0};
  if (count > 0 && region.start == start) return {start, true};
  Scan huge = {start, count > 0 ? static_cast<std::uintptr_t>(region.start) : end,
               0,     kScanHuge,
               0,     kScanHuge};
  count = scan(pagemap, &huge, &region, 1);
  const bool confirmed = count > 0 && region.start == start;
  return {confirmed ? static_cast<std::uintptr_t>(region.end) : start, true};
}

}  // namespace movepages
