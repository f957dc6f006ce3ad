#include "driver/huge.hpp"

#include <algorithm>
#include <limits>

namespace movepages {
namespace {

// Reading the page tables costs as much as querying a few pages.
std::size_t fewest_worth_a_look(const Kernel& kernel) noexcept {
  return kernel.huge_until
             ? std::max<std::size_t>(kernel.huge_page_bytes / kernel.page_bytes / 16, 2)
             : 0;
}

}  // namespace

HugePages::HugePages(int pid, const Kernel& kernel) noexcept
    : kernel_(kernel),
      pagemap_(pid),
      tells_(kernel.huge_until != nullptr),
      fewest_(fewest_worth_a_look(kernel)),
      most_heads_(std::clamp<std::size_t>(
          kMostBytes / std::max<std::size_t>(kernel.huge_page_bytes, 1), 1, kMostHeads)) {}

RunGroup HugePages::next(const std::uintptr_t* pages, const std::int32_t* nodes, std::size_t count,
                         std::size_t most, std::size_t most_huge) noexcept {
  if (!tells_ || count < fewest_) return {std::min(count, most), 0};
  forget();
  std::size_t entries = 0;
  std::size_t heads = 0;
  while (entries < count) {
    const std::size_t run =
        pieces(pages + entries, nodes ? nodes + entries : nullptr, count - entries);
    const bool huge = run >= fewest_ && is_piece(pages[entries]);
    if (huge != (heads > 0) && entries > 0) break;
    if (huge) first_[heads++] = entries;
    entries += huge ? run : run + unlooked_at();
    if (huge ? heads >= std::min(most_huge, most_heads_) : entries >= std::min(most, count)) break;
  }
  if (heads == 0) return {std::min({entries, most, count}), 0};
  first_[heads] = entries;
  return {entries, heads};
}

// After many pages that are not huge, ever longer parts of the list are taken without reading the
// page tables: reading them must not cost more than it can save.
std::size_t HugePages::unlooked_at() noexcept {
  constexpr std::size_t kFew = 8;
  constexpr std::size_t kMost = 16;
  misses_ = std::min(misses_ + 1, kFew + kMost);
  return misses_ <= kFew ? 0 : (misses_ - kFew) * (kernel_.huge_page_bytes / kernel_.page_bytes);
}

std::size_t HugePages::pieces(const std::uintptr_t* pages, const std::int32_t* nodes,
                              std::size_t count) const noexcept {
  const std::uintptr_t huge_page = huge_page_of(pages[0]);
  const std::size_t most = std::min(count, kernel_.huge_page_bytes / kernel_.page_bytes);
  std::size_t run = 1;
  // The huge page may be the last in the address space, so that its end wraps to 0.
  while (run < most && pages[run] - huge_page < kernel_.huge_page_bytes &&
         (nodes == nullptr || nodes[run] == nodes[0])) {
    ++run;
  }
  return run;
}

bool HugePages::is_piece(std::uintptr_t page) noexcept {
  if (page >= from_ && page < until_) return true;
  if (!tells_) return false;
  const std::uintptr_t huge_page = huge_page_of(page);
  const std::uintptr_t ahead = kMostHeads * kernel_.huge_page_bytes;
  if (huge_page > std::numeric_limits<std::uintptr_t>::max() - ahead) return false;
  const HugeAnswer answer = kernel_.huge_until(pagemap_, huge_page, huge_page + ahead);
  tells_ = answer.known;
  if (answer.until < huge_page + kernel_.huge_page_bytes) return false;
  misses_ = 0;
  from_ = huge_page;
  until_ = huge_page_of(answer.until);
  return true;
}

}  // namespace movepages
