// Prints what MemoryBlocks reads in a folder: the bytes in a block (0 without blocks), then the
// number and the node of each block on a known node.
#include <cstdint>
#include <cstdio>

#include "kernel/memory_blocks.hpp"
#include "kernel/pagemap.hpp"

int main(int count, char** arguments) {
  if (count != 2) return 2;
  const movepages::MemoryBlocks blocks(arguments[1]);
  if (blocks.empty()) return std::puts("0") < 0;
  std::uint64_t frames = 1;
  while (blocks.same(0, frames)) frames *= 2;
  std::printf("%ju\n", static_cast<std::uintmax_t>(frames * movepages::page_bytes()));
  for (std::uint64_t block = 0; block < 1 << 24; ++block) {
    const std::int32_t node = blocks.node_of(block * frames);
    if (node >= 0) std::printf("%ju %d\n", static_cast<std::uintmax_t>(block), node);
  }
}
