#include "heap/node_heap.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace movepages {
namespace {

std::size_t whole_pages(std::size_t bytes) noexcept {
  return (bytes + page_bytes() - 1) / page_bytes() * page_bytes();
}

}  // namespace

NodeHeap::~NodeHeap() { drop_spares(); }

void* NodeHeap::allocate(std::size_t bytes) noexcept {
  const std::lock_guard lock(mutex_);
  return bytes <= Slabs::kMostBytes ? slabs_.take(bytes) : take_mapping(bytes, false);
}

void* NodeHeap::allocate_zeroed(std::size_t bytes) noexcept {
  void* block = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (bytes > Slabs::kMostBytes) return take_mapping(bytes, true);
    block = slabs_.take(bytes);
  }
  if (block != nullptr) std::memset(block, 0, bytes);
  return block;
}

void* NodeHeap::resize(void* block, std::size_t bytes) noexcept {
  if (block == nullptr) return allocate(bytes);
  std::size_t before = 0;
  {
    const std::lock_guard lock(mutex_);
    before = mapped_bytes(block);
    if (before > 0 && bytes > Slabs::kMostBytes) {
      void* moved = resize_mapping({block, before}, bytes);
      if (moved != nullptr) return moved;
    }
  }
  // mremap(2) may have refused, as for a block with several policies or kinds of advice.
  if (before == 0) before = Slabs::capacity(block);
  void* copy = allocate(bytes);
  if (copy == nullptr) return nullptr;
  std::memcpy(copy, block, std::min(before, bytes));
  release(block);
  return copy;
}

void NodeHeap::release(void* block) noexcept {
  if (block == nullptr) return;
  const std::lock_guard lock(mutex_);
  const std::size_t mapped = mapped_bytes(block);
  if (mapped == 0) return slabs_.give_back(block);
  mappings_.erase(address(block));
  keep_spare({block, mapped});
}

void NodeHeap::retire() noexcept {
  const std::lock_guard lock(mutex_);
  retired_ = true;
  drop_spares();
}

std::size_t NodeHeap::mapped_bytes(const void* block) const noexcept {
  if (address(block) % page_bytes() != 0) return 0;
  const auto found = mappings_.find(address(block));
  return found == mappings_.end() ? 0 : found->second;
}

void* NodeHeap::resize_mapping(Mapping before, std::size_t bytes) noexcept {
  const std::size_t wanted = whole_pages(bytes);
  if (wanted < bytes) return nullptr;
  void* moved = ::mremap(before.start, before.bytes, wanted, MREMAP_MAYMOVE);
  if (moved == MAP_FAILED) return nullptr;
  // Extracting the entry and inserting it again needs no memory.
  auto entry = mappings_.extract(address(before.start));
  entry.key() = address(moved);
  entry.mapped() = wanted;
  mappings_.insert(std::move(entry));
  return moved;
}

void* NodeHeap::take_mapping(std::size_t bytes, bool zeroed) noexcept {
  const std::size_t size = whole_pages(bytes);
  if (size < bytes) return nullptr;
  // A new mapping is zeroed page by page at first touch; a spare would have to be cleared at once.
  void* block = zeroed ? nullptr : take_spare(size);
  if (block == nullptr) {
    const bool huge = huge_from_ != 0 && size >= huge_from_;
    // A larger alignment takes more address space for a moment: 512 MiB where a page has 64 KiB.
    const bool holds_one = huge && size >= huge_page_bytes();
    block = memory_.map(size, holds_one ? huge_page_bytes() : page_bytes());
    if (block == nullptr) return nullptr;
    // A kernel without transparent huge pages returns EINVAL; small pages work as well.
    if (huge) ::madvise(block, size, MADV_HUGEPAGE);
  }
  try {
    mappings_[address(block)] = size;
  } catch (...) {
    ::munmap(block, size);
    return nullptr;
  }
  return block;
}

void* NodeHeap::take_spare(std::size_t bytes) noexcept {
  for (std::size_t i = spare_count_; i-- > 0;) {
    const Mapping spare = spares_[i];
    if (spare.bytes != bytes) continue;
    std::copy(spares_ + i + 1, spares_ + spare_count_--, spares_ + i);
    spare_bytes_ -= bytes;
    // The previous owner may have moved the pages, or changed the policy of the range.
    if (memory_.seems_in_place(spare.start, bytes) && memory_.bind(spare.start, bytes))
      return spare.start;
    ::munmap(spare.start, bytes);
  }
  return nullptr;
}

void NodeHeap::keep_spare(Mapping released) noexcept {
  if (retired_ || released.bytes > kMostSpareBytes) {
    ::munmap(released.start, released.bytes);
    return;
  }
  std::size_t drop = 0;
  while (spare_count_ - drop == kMostSpares || spare_bytes_ + released.bytes > kMostSpareBytes) {
    ::munmap(spares_[drop].start, spares_[drop].bytes);
    spare_bytes_ -= spares_[drop++].bytes;
  }
  std::copy(spares_ + drop, spares_ + spare_count_, spares_);
  spare_count_ -= drop;
  spares_[spare_count_++] = released;
  spare_bytes_ += released.bytes;
}

void NodeHeap::drop_spares() noexcept {
  for (std::size_t i = 0; i < spare_count_; ++i) ::munmap(spares_[i].start, spares_[i].bytes);
  spare_count_ = spare_bytes_ = 0;
}

}  // namespace movepages
