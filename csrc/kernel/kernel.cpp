#include "kernel/kernel.hpp"

#include <unistd.h>

#include <ctime>

#include "kernel/hidden.hpp"
#include "kernel/syscalls.hpp"

namespace movepages {
namespace {

bool allowed_nodes(NodeMask& mask) noexcept {
  // The kernel uses one bit fewer than it is given (sanitize_mpol_flags, copy_nodes_to_user).
  return sys_get_mempolicy(nullptr, mask.words, kMaxNodes + 1, 0, kMpolFMemsAllowed) == 0;
}

std::int64_t read_clock(clockid_t clock) noexcept {
  timespec now;
  ::clock_gettime(clock, &now);
  return std::int64_t{1'000'000'000} * now.tv_sec + now.tv_nsec;
}

std::int64_t now_ns() noexcept { return read_clock(CLOCK_MONOTONIC); }

std::int64_t work_ns() noexcept { return read_clock(CLOCK_THREAD_CPUTIME_ID); }

Kernel table() noexcept {
  Kernel kernel = {};
  kernel.move_pages = sys_move_pages;
  kernel.allowed_nodes = allowed_nodes;
  kernel.now_ns = now_ns;
  kernel.work_ns = work_ns;
  kernel.hides_pages = kernel_hides_pages;
  kernel.huge_until = huge_until;
  kernel.page_bytes = page_bytes();
  kernel.huge_page_bytes = huge_page_bytes();
  return kernel;
}

}  // namespace

const Kernel& real_kernel() noexcept {
  static const Kernel kernel = table();
  return kernel;
}

}  // namespace movepages
