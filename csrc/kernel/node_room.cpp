#include "kernel/node_room.hpp"

#include <cerrno>

#include "kernel/policy.hpp"
#include "kernel/scratch.hpp"
#include "kernel/syscalls.hpp"

namespace movepages {
namespace {

thread_local NodeMask full;

bool lacks_room(std::int32_t node) noexcept {
  const Scratch scratch;
  if (!scratch.is_mapped()) return true;
  const auto move_to = [&scratch](std::int32_t target, int mode = kMpolBind) {
    return bind_range(scratch.touched(), page_bytes(), mode, only(target),
                      kMpolMfMove | kMpolMfStrict);
  };
  NodeMask allowed;
  int here = 0;
  const auto is_told = [&scratch, &here] {
    return sys_get_mempolicy(&here, nullptr, 0, scratch.touched(), kMpolFNode | kMpolFAddr) == 0;
  };
  if (!is_told() ||
      sys_get_mempolicy(nullptr, allowed.words, kMaxNodes + 1, 0, kMpolFMemsAllowed) != 0) {
    return false;
  }
  for (std::int32_t other = 0; here == node && other < kMaxNodes; ++other) {
    if (other != node && allowed.has(other) && move_to(other) == 0) here = other;
  }
  // A preference is cheap to try: the kernel takes another node at once.
  move_to(node, kMpolPreferred);
  return is_told() && here != node && move_to(node) == -EIO;
}

}  // namespace

bool is_full(std::int32_t node) noexcept {
  if (!full.has(node) && lacks_room(node)) full.add(node);
  return full.has(node);
}

bool is_known_full(std::int32_t node) noexcept { return full.has(node); }

void forget_full_nodes() noexcept { full = NodeMask(); }

}  // namespace movepages
