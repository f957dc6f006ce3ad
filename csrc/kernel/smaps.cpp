#include "kernel/smaps.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace movepages {
namespace {

struct Counts {
  std::uintptr_t start = 0;
  std::uintptr_t end = 0;
  std::size_t resident = 0;  // bytes of hugetlbfs excepted
  std::size_t huge = 0;      // bytes of it that huge pages map
  std::size_t hugetlb = 0;   // bytes of hugetlbfs, whatever the size of its pages
  std::size_t page = 0;      // size of a page as the kernel allocates it
};

class Line {
 public:
  ~Line() { std::free(text_); }
  Line() = default;
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  bool read(std::FILE* file) noexcept { return ::getline(&text_, &room_, file) > 0; }

  // The first line of a mapping. The names of all other fields begin with a capital letter.
  bool begins(Counts* mapping) const noexcept {
    return std::sscanf(text_, "%lx-%lx ", &mapping->start, &mapping->end) == 2;
  }

  void count(Counts* mapping) const noexcept {
    constexpr struct {
      const char* name;
      std::size_t Counts::* sum;
    } kFields[] = {{"Rss:", &Counts::resident},           {"AnonHugePages:", &Counts::huge},
                   {"ShmemPmdMapped:", &Counts::huge},    {"FilePmdMapped:", &Counts::huge},
                   {"Shared_Hugetlb:", &Counts::hugetlb}, {"Private_Hugetlb:", &Counts::hugetlb},
                   {"KernelPageSize:", &Counts::page}};
    for (const auto& field : kFields) {
      const std::size_t length = std::strlen(field.name);
      if (std::strncmp(text_, field.name, length) != 0) continue;
      mapping->*field.sum += std::strtoul(text_ + length, nullptr, 10) * 1024;
    }
  }

 private:
  char* text_ = nullptr;
  std::size_t room_ = 0;
};

class Ranges {
 public:
  Ranges(std::uintptr_t first, std::uintptr_t last, std::vector<Region>* found)
      : first_(first), last_(last), found_(found) {}

  void add(const Counts& mapping) {
    const std::uintptr_t size = huge_page_bytes();
    const bool all_huge =
        mapping.resident == mapping.huge && (mapping.hugetlb == 0 || mapping.page >= size);
    const std::uintptr_t start = (mapping.start + size - 1) / size * size;
    const std::uintptr_t end = mapping.end / size * size;
    // If mappings merge while the file is read, a line may repeat addresses of the lines before it.
    while (!found_->empty() && found_->back().start >= mapping.start) found_->pop_back();
    if (!found_->empty() && found_->back().end > mapping.start) {
      found_->back().end = mapping.start;
    }
    if (mapping.huge + mapping.hugetlb == 0 || start >= end) return;
    if (!all_huge && mapping.huge != end - start) return;
    const Region within = {std::max(start, first_), std::min(end, last_), kScanHuge};
    if (within.start < within.end) found_->push_back(within);
  }

 private:
  const std::uintptr_t first_;
  const std::uintptr_t last_;
  std::vector<Region>* const found_;
};

}  // namespace

int huge_ranges_by_count(const char* path, std::uintptr_t first, std::uintptr_t last,
                         std::size_t most, std::vector<Region>* found) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path, "re"), std::fclose);
  if (!file) return errno;
  Ranges ranges(first, last, found);
  Counts mapping;
  Line line;
  for (Counts next; line.read(file.get());) {
    if (!line.begins(&next)) {
      line.count(&mapping);
      continue;
    }
    if (mapping.end > 0) ranges.add(mapping);
    if (next.start >= last) return 0;
    if (most-- == 0) return E2BIG;
    mapping = next;
  }
  if (std::ferror(file.get())) return EIO;
  if (mapping.end > 0) ranges.add(mapping);
  return 0;
}

}  // namespace movepages
