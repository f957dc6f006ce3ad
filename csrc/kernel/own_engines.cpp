// The calls of the engines that know this process alone.
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>

#include "kernel/engine.hpp"
#include "kernel/own_pages.hpp"
#include "kernel/policy.hpp"
#include "kernel/policy_mover.hpp"
#include "kernel/syscalls.hpp"

namespace movepages {
namespace {

long refusal_of_process(int pid) noexcept {
  if (pid == 0 || is_own(pid)) return 0;
  return pid < 0 || (::kill(pid, 0) != 0 && errno == ESRCH) ? -ESRCH : -EPERM;
}

// Held while memory has another policy for a moment: a second call would take that for the policy
// to restore, and a child forked meanwhile would keep it.
std::mutex moving;

std::mutex& moving_alone() noexcept {
  static const int registered =
      ::pthread_atfork([] { moving.lock(); }, [] { moving.unlock(); }, [] { moving.unlock(); });
  static_cast<void>(registered);
  return moving;
}

}  // namespace

long move_pages_by_policy(int pid, std::size_t count, const std::uintptr_t* pages,
                          const std::int32_t* nodes, std::int32_t* status, int flags) noexcept {
  if (const long ret = refusal_of_process(pid); ret != 0) return ret;
  // Without a range, mbind(2) only checks the privilege.
  if (flags & kMpolMfMoveAll) {
    const long ret = bind_range(0, 0, kMpolDefault, NodeMask(), kMpolMfMoveAll);
    if (ret != 0) return ret;
  }
  // A query of no page only checks the permission.
  int node = 0;
  const auto here = reinterpret_cast<std::uintptr_t>(&node);
  if (count == 0) return sys_get_mempolicy(&node, nullptr, 0, here, kMpolFNode | kMpolFAddr);
  if (nodes != nullptr) {
    const std::lock_guard alone(moving_alone());
    return PolicyMover(flags).move(pages, count, nodes, status);
  }
  return OwnPages(OwnPages::kByPolicy).ask(pages, count, status);
}

long move_pages_by_proc(int pid, std::size_t count, const std::uintptr_t* pages,
                        const std::int32_t* nodes, std::int32_t* status, int flags) noexcept {
  if (const long ret = refusal_of_process(pid); ret != 0) return ret;
  if (nodes != nullptr || (flags & kMpolMfMoveAll)) return -EPERM;
  return OwnPages(OwnPages::kUnknown).ask(pages, count, status);
}

}  // namespace movepages
