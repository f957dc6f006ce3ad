#include "heap/slabs.hpp"

#include <sys/mman.h>

#include <new>

namespace movepages {
namespace {

constexpr std::size_t kSmallest = 64;  // a cache line: no two blocks share one

// The sizes are 64, 128, 192, 256, 384, 512 and so on: from 128, each power of two and one and a
// half times it.
constexpr std::size_t class_bytes(std::size_t kind) noexcept {
  if (kind < 2) return kSmallest << kind;
  const std::size_t power = kSmallest << (kind / 2);
  return kind % 2 == 0 ? power + power / 2 : 2 * power;
}

std::size_t class_of(std::size_t bytes) noexcept {
  std::size_t kind = 0;
  while (class_bytes(kind) < bytes) ++kind;
  return kind;
}

}  // namespace

// The header of a slab, at the start of the slab's memory. That memory is aligned to its size.
struct alignas(kSmallest) Slabs::Slab {
  struct Free {
    Free* next;
  };
  Slab* previous;
  Slab* next;
  Free* free;
  std::size_t kind;
  std::size_t used;
  std::size_t fresh;  // offset of the part that was never handed out

  bool is_full() const noexcept {
    return free == nullptr && fresh + class_bytes(kind) > kSlabBytes;
  }
};

Slabs::~Slabs() {
  for (Slab* slab : with_room_) {
    while (slab != nullptr) {
      Slab* next = slab->next;
      ::munmap(slab, kSlabBytes);
      slab = next;
    }
  }
}

void* Slabs::take(std::size_t bytes) noexcept {
  static_assert(class_bytes(kClasses - 1) == kMostBytes);
  const std::size_t kind = class_of(bytes);
  Slab* slab = with_room_[kind];
  if (slab == nullptr) {
    void* memory = memory_.map(kSlabBytes, kSlabBytes);
    if (memory == nullptr) return nullptr;
    slab = new (memory) Slab{nullptr, nullptr, nullptr, kind, 0, sizeof(Slab)};
    link(slab);
  }
  void* block = slab->free;
  if (block != nullptr) {
    slab->free = slab->free->next;
  } else {
    block = reinterpret_cast<char*>(slab) + slab->fresh;
    slab->fresh += class_bytes(kind);
  }
  ++slab->used;
  if (slab->is_full()) unlink(slab);
  return block;
}

void Slabs::give_back(void* block) noexcept {
  Slab* slab = slab_of(block);
  if (slab->is_full()) link(slab);
  slab->free = new (block) Slab::Free{slab->free};
  --slab->used;
  // The last slab with room stays, for a program that creates and drops one array repeatedly.
  if (slab->used > 0 || (slab->next == nullptr && slab->previous == nullptr)) return;
  unlink(slab);
  ::munmap(slab, kSlabBytes);
}

std::size_t Slabs::capacity(const void* block) noexcept {
  return class_bytes(slab_of(block)->kind);
}

Slabs::Slab* Slabs::slab_of(const void* block) noexcept {
  return reinterpret_cast<Slab*>(address(block) / kSlabBytes * kSlabBytes);
}

void Slabs::link(Slab* slab) noexcept {
  slab->previous = nullptr;
  slab->next = with_room_[slab->kind];
  if (slab->next != nullptr) slab->next->previous = slab;
  with_room_[slab->kind] = slab;
}

void Slabs::unlink(Slab* slab) noexcept {
  if (slab->next != nullptr) slab->next->previous = slab->previous;
  (slab->previous != nullptr ? slab->previous->next : with_room_[slab->kind]) = slab->next;
  slab->previous = slab->next = nullptr;
}

}  // namespace movepages
