// Prints the parts that Parts hands out of a share, and the steps of each, where a huge page has
// the size that comes first. The other arguments are the starts and the bytes of ranges.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "kernel/pagemap.hpp"
#include "populate/parts.hpp"

namespace {

std::size_t of_a_huge_page = 0;

void print(const char* name, const std::vector<movepages::ByteRange>& ranges, std::size_t bytes) {
  std::printf("%s %zu", name, bytes);
  for (const movepages::ByteRange& range : ranges) {
    std::printf(" %ju %zu", static_cast<std::uintmax_t>(range.start), range.bytes);
  }
  std::puts("");
}

}  // namespace

std::size_t movepages::huge_page_bytes() noexcept { return of_a_huge_page; }

int main(int count, char** arguments) {
  if (count < 2 || count % 2 != 0) return 2;
  of_a_huge_page = std::strtoull(arguments[1], nullptr, 10);
  movepages::NodeShare share;
  for (int i = 2; i < count; i += 2) {
    share.ranges.push_back(
        {std::strtoull(arguments[i], nullptr, 10), std::strtoull(arguments[i + 1], nullptr, 10)});
  }
  movepages::Parts parts(share);
  std::vector<movepages::ByteRange> part;
  while (const std::size_t bytes = parts.take(&part)) {
    print("part", part, bytes);
    movepages::each_step(part, [](const std::vector<movepages::ByteRange>& step, std::size_t some) {
      print("step", step, some);
      return true;
    });
  }
}
