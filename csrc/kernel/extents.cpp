#include "kernel/extents.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>
#include <string>
#include <string_view>

#include "kernel/policy.hpp"
#include "kernel/whole_file.hpp"

namespace movepages {

Extent Extents::of(std::uintptr_t page) noexcept {
  const std::uintptr_t block = page / huge_page_bytes() * huge_page_bytes();
  if (block != block_) {
    block_ = block;
    huge_ = is_huge(block);
  }
  if (huge_) return {block, block + huge_page_bytes()};
  const std::uintptr_t start = page / page_bytes() * page_bytes();
  return {start, start + page_bytes()};
}

void Extents::forget() noexcept {
  block_ = 1;
  read_ = false;
}

bool Extents::is_huge(std::uintptr_t block) noexcept {
  if (scans_ && !huge_is_ambiguous()) {
    Region region;
    Scan huge = {block, block + huge_page_bytes(), 0, kScanHuge, 0, kScanHuge};
    const long count = scan(pagemap_, &huge, &region, 1);
    scans_ = count != -ENOTTY && count != -EPERM && count != -ENOSYS;
    if (scans_) {
      return count > 0 && region.start == block && region.end == block + huge_page_bytes();
    }
  }
  try {
    return is_all_present(block) && is_huge_by_smaps(block);
  } catch (const std::bad_alloc&) {
    return false;
  }
}

// Whether the block may be huge at all: to produce smaps, the kernel walks all memory.
bool Extents::is_all_present(std::uintptr_t block) {
  std::vector<std::uint64_t> entries(huge_page_bytes() / page_bytes());
  const long got = pagemap_.read(block, entries.size(), entries.data());
  return got == static_cast<long>(entries.size()) &&
         std::all_of(entries.begin(), entries.end(),
                     [](std::uint64_t entry) { return (entry & kPagePresent) != 0; });
}

// Before Linux 6.7, only totals of a mapping are told. Where it holds huge pages and others, the
// block is made a mapping of its own for a moment, by a flag that only core dumps look at.
bool Extents::is_huge_by_smaps(std::uintptr_t block) {
  const std::size_t size = huge_page_bytes();
  if (!read_) held_ = read_smaps();
  read_ = true;
  const Held* held = find(held_, block);
  if (held == nullptr || held->huge_bytes == 0) return false;
  const std::uintptr_t first = (held->start + size - 1) / size * size;
  if (held->huge_bytes == held->end / size * size - first) return true;
  if (advise(block, size, held->dumped ? MADV_DONTDUMP : MADV_DODUMP) != 0) return false;
  const std::vector<Held> now = read_smaps();
  advise(block, size, held->dumped ? MADV_DODUMP : MADV_DONTDUMP);
  const Held* own = find(now, block);
  return own != nullptr && own->start == block && own->end == block + size &&
         own->huge_bytes == size;
}

std::vector<Extents::Held> Extents::read_smaps() {
  std::vector<Held> found;
  std::string text;
  if (read_whole_file("/proc/self/smaps", &text) != 0) return found;
  for_each_line(&text, [&found](std::string_view text_of_line) {
    const char* line = text_of_line.data();
    Held held = {0, 0, 0, true};
    std::size_t kib = 0;
    if (std::sscanf(line, "%lx-%lx %*c", &held.start, &held.end) == 2) {
      found.push_back(held);
    } else if (!found.empty() && (std::sscanf(line, "AnonHugePages: %zu", &kib) == 1 ||
                                  std::sscanf(line, "ShmemPmdMapped: %zu", &kib) == 1 ||
                                  std::sscanf(line, "FilePmdMapped: %zu", &kib) == 1)) {
      found.back().huge_bytes += kib * 1024;
    } else if (!found.empty() && std::strncmp(line, "VmFlags:", 8) == 0) {
      found.back().dumped = std::strstr(line, " dd") == nullptr;
    }
  });
  return found;
}

// The mapping that holds all of a block; null if none does.
const Extents::Held* Extents::find(const std::vector<Held>& all, std::uintptr_t block) noexcept {
  const auto held = std::find_if(all.begin(), all.end(), [block](const Held& each) {
    return each.start <= block && each.end >= block + huge_page_bytes();
  });
  return held != all.end() ? &*held : nullptr;
}

}  // namespace movepages
