#include "kernel/probe.hpp"

#include <cerrno>

#include "kernel/kernel.hpp"
#include "kernel/pagemap.hpp"
#include "kernel/policy.hpp"
#include "kernel/scratch.hpp"
#include "kernel/syscalls.hpp"

namespace movepages {
namespace {

constexpr int kNoSuchMode = 0xFFF;

int errno_of(long ret) noexcept { return ret < 0 ? static_cast<int>(-ret) : 0; }

void probe_moves(std::uintptr_t page, Probe* answers) noexcept {
  std::int32_t status = -1;
  answers->query = errno_of(sys_move_pages(0, 1, &page, nullptr, &status, kMpolMfMove));
  // The page moves to its own node. If the query failed, no page moves at all.
  const std::size_t count = answers->query == 0 && status >= 0 ? 1 : 0;
  const std::int32_t here = status;
  answers->move = errno_of(sys_move_pages(0, count, &page, &here, &status, kMpolMfMove));
  answers->move_all = errno_of(sys_move_pages(0, 0, nullptr, nullptr, nullptr, kMpolMfMoveAll));
}

void probe_policies(const Scratch& scratch, Probe* answers) noexcept {
  int node = 0;
  NodeMask allowed;
  const long located =
      sys_get_mempolicy(&node, nullptr, 0, scratch.touched(), kMpolFNode | kMpolFAddr);
  const long listed =
      sys_get_mempolicy(nullptr, allowed.words, kMaxNodes + 1, 0, kMpolFMemsAllowed);
  answers->get_mempolicy = errno_of(located < 0 ? located : listed);
  const int mode = allowed.any() ? kMpolBind : kMpolDefault;
  answers->mbind = errno_of(bind_range(scratch.untouched(), page_bytes(), mode, allowed, 0));
  // Setting the current policy again would restart interleaving, so this passes a mode that does
  // not exist. The kernel answers EINVAL and changes nothing; a filter answers another errno.
  const long ret = ::syscall(SYS_set_mempolicy, kNoSuchMode, nullptr, 0L);
  answers->set_mempolicy = ret == 0 || errno == EINVAL ? 0 : errno;
}

void probe_pagemap(std::uintptr_t page, Probe* answers) noexcept {
  Pagemap pagemap(0);
  if (pagemap.descriptor() < 0) {
    answers->pagemap = answers->scan = -pagemap.descriptor();
    return;
  }
  std::uint64_t entry = 0;
  const long got = pagemap.read(page, 1, &entry);
  answers->pagemap = got == 0 ? EIO : errno_of(got);
  Region region;
  Scan present = {page, page + page_bytes(), 0, kScanPresent, 0, kScanPresent};
  answers->scan = errno_of(scan(pagemap, &present, &region, 1));
}

}  // namespace

int probe(Probe* answers) noexcept {
  const Scratch scratch;
  if (!scratch.is_mapped()) return -errno;
  probe_moves(scratch.touched(), answers);
  probe_policies(scratch, answers);
  probe_pagemap(scratch.touched(), answers);
  return 0;
}

}  // namespace movepages
