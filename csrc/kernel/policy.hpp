// System calls on address ranges: mbind(2), get_mempolicy(2), madvise(2) and mincore(2), and the
// policy of a thread. Each wrapper returns 0 or -errno.
#pragma once

#include <sys/mman.h>
#include <sys/uio.h>

#include "kernel/kernel.hpp"
#include "kernel/syscalls.hpp"

namespace movepages {

// include/uapi/linux/mempolicy.h
constexpr int kMpolDefault = 0;
constexpr int kMpolPreferred = 1;
constexpr int kMpolBind = 2;
constexpr int kMpolInterleave = 3;
constexpr unsigned kMpolMfStrict = 1 << 0;

inline NodeMask only(std::int32_t node) noexcept {
  NodeMask mask;
  const auto bit = static_cast<std::size_t>(node);
  mask.words[bit / NodeMask::kWordBits] |= 1UL << (bit % NodeMask::kWordBits);
  return mask;
}

// The kernel uses one bit fewer of a mask than it is given.
inline long bind_range(std::uintptr_t start, std::size_t bytes, int mode, const NodeMask& nodes,
                       unsigned flags) noexcept {
  const bool any = nodes.any();
  const long ret = ::syscall(SYS_mbind, start, bytes, mode, any ? nodes.words : nullptr,
                             any ? kMaxNodes + 1 : 0, flags);
  return ret < 0 ? -errno : 0;
}

// The policy of the mapping at an address.
inline long policy_at(std::uintptr_t address, int* mode, NodeMask* nodes) noexcept {
  return sys_get_mempolicy(mode, nodes->words, kMaxNodes + 1, address, kMpolFAddr);
}

// The memory policy of the calling thread; its mode includes the flags.
struct ThreadPolicy {
  int mode = 0;
  NodeMask nodes;
};

inline long thread_policy(ThreadPolicy* policy) noexcept {
  policy->nodes = {};
  return sys_get_mempolicy(&policy->mode, policy->nodes.words, kMaxNodes + 1, 0, 0);
}

inline long set_thread_policy(const ThreadPolicy& policy) noexcept {
  const bool any = policy.nodes.any();
  const long ret = ::syscall(SYS_set_mempolicy, policy.mode, any ? policy.nodes.words : nullptr,
                             any ? kMaxNodes + 1 : 0);
  return ret < 0 ? -errno : 0;
}

inline long mincore(std::uintptr_t start, std::size_t bytes, unsigned char* in_memory) noexcept {
  return ::mincore(reinterpret_cast<void*>(start), bytes, in_memory) < 0 ? -errno : 0;
}

// Whether mincore() is certainly accurate for a shared mapping. If this process may not see which
// pages are resident, mincore() reports all of them, even far beyond the end of the file. So this
// maps the file a second time, that far, and looks there.
inline bool tells_what_is_in_memory(std::uintptr_t start) noexcept {
  constexpr std::size_t kFar = std::size_t{1} << (sizeof(std::size_t) == 8 ? 36 : 26);
  void* second = ::mremap(reinterpret_cast<void*>(start), 0, kFar, MREMAP_MAYMOVE);
  if (second == MAP_FAILED) return false;
  const std::size_t page = page_bytes();
  unsigned char in_memory = 1;
  const long ret =
      mincore(reinterpret_cast<std::uintptr_t>(second) + kFar - page, page, &in_memory);
  ::munmap(second, kFar);
  return ret == 0 && (in_memory & 1) == 0;
}

inline long advise(std::uintptr_t start, std::size_t bytes, int advice) noexcept {
  return ::madvise(reinterpret_cast<void*>(start), bytes, advice) < 0 ? -errno : 0;
}

// Returns a pidfd for process_madvise(2), or -errno if the process cannot be opened.
inline long open_process(int pid) noexcept {
  const long ret = ::syscall(SYS_pidfd_open, pid, 0);
  return ret < 0 ? -errno : ret;
}

// process_madvise(2) accepts only a few kinds of advice, among them MADV_COLD and MADV_COLLAPSE.
inline long advise_process(long process, std::uintptr_t start, std::size_t bytes,
                           int advice) noexcept {
  const iovec range = {reinterpret_cast<void*>(start), bytes};
  const long ret = ::syscall(SYS_process_madvise, process, &range, 1, advice, 0);
  return ret < 0 ? -errno : 0;
}

}  // namespace movepages
