// System calls by number. Each returns -errno on failure, taken in the statement of the call, so
// that nothing in between can change errno. The wrappers of libnuma hide the positive return value
// of move_pages(2).
#pragma once

#include <errno.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

namespace movepages {

// Numbers newer than some libc headers; every architecture has these two under the same number.
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

// Whether this is the number of this process or of one of its threads, in its own pid namespace;
// /proc may be that of another. Signal 0 is sent to nobody.
inline bool is_own(int pid) noexcept {
  return pid > 0 && ::syscall(SYS_tgkill, ::getpid(), pid, 0) == 0;
}

// How many pages of a whole process could not be moved from some nodes to others, or -errno.
inline long sys_migrate_pages(int pid, unsigned long mask_bits, const unsigned long* from,
                              const unsigned long* to) noexcept {
  const long ret = ::syscall(SYS_migrate_pages, pid, mask_bits, from, to);
  return ret < 0 ? -errno : ret;
}

// Whether a byte of another process could be read, as that process itself would read it.
inline bool sys_read_byte(int pid, std::uintptr_t address) noexcept {
  char byte = 0;
  const iovec here = {&byte, 1};
  const iovec there = {reinterpret_cast<void*>(address), 1};
  return ::syscall(SYS_process_vm_readv, pid, &here, 1UL, &there, 1UL, 0UL) == 1;
}

}  // namespace movepages
