#include "driver/query.hpp"

#include <cerrno>

namespace movepages {

long call_again_after_eintr(const Kernel& kernel, int pid, std::size_t count,
                            const std::uintptr_t* pages, const std::int32_t* nodes,
                            std::int32_t* status, int flags) noexcept {
  constexpr int kTries = 16;
  long ret = 0;
  for (int tries = 0; tries < kTries; ++tries) {
    ret = kernel.move_pages(pid, count, pages, nodes, status, flags);
    if (ret != -EINTR) break;
  }
  return ret;
}

long Query::ask(const std::uintptr_t* pages, std::size_t count, std::int32_t* status) noexcept {
  if (count == 0) return ask_each(pages, 0, status);
  for (std::size_t pos = 0; pos < count;) {
    const RunGroup group = huge_.next(pages + pos, nullptr, count - pos, kPortion, kPortion);
    const long ret = group.heads == 0 ? ask_each(pages + pos, group.entries, status + pos)
                                      : ask_heads(pages + pos, group.heads, status + pos);
    if (ret != 0) return ret;
    pos += group.entries;
  }
  return 0;
}

long Query::ask_each(const std::uintptr_t* pages, std::size_t count,
                     std::int32_t* status) noexcept {
  const long ret = call_again_after_eintr(kernel_, pid_, count, pages, nullptr, status, flags_);
  if (hides_ && ret == 0) {
    for (std::size_t i = 0; i < count; ++i) status[i] = hidden_.reveal(pages[i], status[i]);
  }
  return ret;
}

long Query::ask_heads(const std::uintptr_t* pages, std::size_t heads,
                      std::int32_t* status) noexcept {
  std::uintptr_t head[HugePages::kMostHeads];
  std::int32_t said[HugePages::kMostHeads];
  for (std::size_t k = 0; k < heads; ++k) head[k] = pages[huge_.first(k)];
  for (std::size_t k = 0; k < heads; k += kPortion) {
    const std::size_t some = std::min(kPortion, heads - k);
    const long ret = ask_each(head + k, some, said + k);
    if (ret != 0) return ret;
  }
  for (std::size_t k = 0; k < heads; ++k) {
    std::fill(status + huge_.first(k), status + huge_.first(k + 1), said[k]);
  }
  return 0;
}

}  // namespace movepages
