// System calls by number, because the wrappers of libnuma hide the positive return value of
// move_pages(2). Each returns -errno on failure and reads errno right after the call, before
// anything can change it.
#pragma once

#include <errno.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

namespace movepages {

// Some libc headers are older than these calls. Their numbers are the same on every architecture.
#ifndef SYS_set_mempolicy_home_node
#define SYS_set_mempolicy_home_node 450
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_process_madvise
#define SYS_process_madvise 440
#endif

// include/uapi/linux/mempolicy.h, restated because libc does not ship that header everywhere.
constexpr int kMpolMfMove = 1 << 1;
constexpr int kMpolMfMoveAll = 1 << 2;
constexpr unsigned long kMpolFNode = 1 << 0;
constexpr unsigned long kMpolFAddr = 1 << 1;
constexpr unsigned long kMpolFMemsAllowed = 1 << 2;

// Whether a sandbox, or a kernel without the call, has refused it.
inline bool is_refusal(long ret) noexcept { return ret == -EPERM || ret == -ENOSYS; }

inline long sys_move_pages(int pid, std::size_t count, const std::uintptr_t* pages,
                           const std::int32_t* nodes, std::int32_t* status, int flags) noexcept {
  const long ret = ::syscall(SYS_move_pages, pid, count, pages, nodes, status, flags);
  return ret < 0 ? -errno : ret;
}

inline long sys_get_mempolicy(int* mode, unsigned long* mask, unsigned long mask_bits,
                              std::uintptr_t address, unsigned long flags) noexcept {
  const long ret = ::syscall(SYS_get_mempolicy, mode, mask, mask_bits, address, flags);
  return ret < 0 ? -errno : ret;
}

// Whether `pid` is this process or one of its threads, in its own PID namespace; /proc may show
// another namespace. Signal 0 only checks whether the thread exists.
inline bool is_own(int pid) noexcept {
  return pid > 0 && ::syscall(SYS_tgkill, ::getpid(), pid, 0) == 0;
}

// Migrates the pages of a whole process from some nodes to others. Returns how many could not be
// moved, or -errno.
inline long sys_migrate_pages(int pid, unsigned long mask_bits, const unsigned long* from,
                              const unsigned long* to) noexcept {
  const long ret = ::syscall(SYS_migrate_pages, pid, mask_bits, from, to);
  return ret < 0 ? -errno : ret;
}

// Reads a byte of another process, as that process itself would read it. Returns whether that
// worked.
inline bool sys_read_byte(int pid, std::uintptr_t address) noexcept {
  char byte = 0;
  const iovec here = {&byte, 1};
  const iovec there = {reinterpret_cast<void*>(address), 1};
  return ::syscall(SYS_process_vm_readv, pid, &here, 1UL, &there, 1UL, 0UL) == 1;
}

}  // namespace movepages
