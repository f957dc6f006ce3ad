#include "kernel/memory_blocks.hpp"

#include <dirent.h>

#include <cstdio>
#include <memory>
#include <string>

#include "kernel/kernel.hpp"
#include "kernel/pagemap.hpp"

namespace movepages {
namespace {

// 2 PiB in blocks of the smallest size, 128 MiB. A larger number is not the number of a block.
constexpr std::size_t kMostBlocks = std::size_t{1} << 24;

template <typename Each>
void each_entry(const std::string& folder, Each each) {
  const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(folder.c_str()), ::closedir);
  while (const dirent* entry = open ? ::readdir(open.get()) : nullptr) each(entry->d_name);
}

std::size_t hexadecimal_in(const std::string& path) noexcept {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"),
                                                             std::fclose);
  std::size_t value = 0;
  return file && std::fscanf(file.get(), "%zx", &value) == 1 ? value : 0;
}

}  // namespace

MemoryBlocks::MemoryBlocks(const char* folder) {
  const std::string root = folder;
  const std::size_t bytes = hexadecimal_in(root + "/memory/block_size_bytes");
  const std::size_t frames = bytes / page_bytes();
  if (frames == 0 || (frames & (frames - 1)) != 0 || bytes % page_bytes() != 0) return;
  while (std::size_t{1} << shift_ < frames) ++shift_;
  each_entry(root + "/node", [&](const char* name) {
    std::int32_t node = 0;
    int end = 0;
    if (std::sscanf(name, "node%d%n", &node, &end) != 1 || name[end] != '\0') return;
    if (node < 0 || node >= kMaxNodes) return;
    each_entry(root + "/node/" + name, [&](const char* link) {
      std::size_t block = 0;
      if (std::sscanf(link, "memory%zu%n", &block, &end) != 1 || link[end] != '\0') return;
      if (block < kMostBlocks) add(block, node);
    });
  });
}

void MemoryBlocks::add(std::size_t block, std::int32_t node) {
  if (block >= nodes_.size()) nodes_.resize(block + 1, kUnknown);
  nodes_[block] = nodes_[block] == kUnknown ? node : kShared;
}

const MemoryBlocks& BlocksOnDemand::get() {
  std::call_once(read_, [this] { blocks_ = MemoryBlocks("/sys/devices/system"); });
  return blocks_;
}

}  // namespace movepages
