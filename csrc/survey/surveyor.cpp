#include "survey/surveyor.hpp"

#include <algorithm>
#include <cerrno>

namespace movepages {
namespace {

// After this many small pages, look() returns and is called again. Querying this many takes up to 9
// ms.
constexpr std::size_t kStep = std::size_t{1} << 15;
// No process has memory at this address or above.
constexpr std::uintptr_t kUserEnd = std::uintptr_t{1} << (8 * sizeof(std::uintptr_t) - 1);

}  // namespace

long Surveyor::look(PageRange* rest, std::vector<SurveyRun>* runs) {
  const bool sound =
      rest->start < kUserEnd && rest->pages <= (kUserEnd - rest->start) / kernel_.page_bytes;
  left_ = kStep;
  if (in_huge_pages_ && sound) {
    const std::uintptr_t end = rest->start + rest->pages * kernel_.page_bytes;
    const long ret = ask_heads(rest->start, end, runs);
    if (ret == 0) *rest = {end, 0};
    return ret;
  }
  if (!tells_ || !sound || rest->pages < fewest_) return ask_each(rest, rest->pages, runs);
  const std::size_t before = rest->pages;
  // Small pages are mostly followed by more of them, so a scan would say nothing new.
  if (mostly_small_ && ask_small_) {
    const long ret = read_each(rest, rest->pages, false, runs);
    if (ret != 0 || rest->pages < before) {
      mostly_small_ = 8 * (kStep - left_) >= 7 * (before - rest->pages);
      return ret;
    }
  }
  const std::size_t known = runs->size();
  const SurveyRun last = known > 0 ? runs->back() : SurveyRun();
  const PageRange range = *rest;
  long unknown = 0;
  const long ret = look_by_page_tables(rest, runs, &unknown);
  mostly_small_ = 8 * (kStep - left_) >= 7 * (before - rest->pages);
  if (unknown == 0) return ret;
  tells_ = unknown != -ENOTTY;
  runs->resize(known);
  if (known > 0) runs->back() = last;
  *rest = range;
  left_ = kStep;
  return ask_each(rest, rest->pages, runs);
}

long Surveyor::look_by_page_tables(PageRange* rest, std::vector<SurveyRun>* runs, long* unknown) {
  const std::uintptr_t end = rest->start + rest->pages * kernel_.page_bytes;
  PresenceWalk walk(pagemap_, rest->start, end, PresenceWalk::kScanOnly);
  PresenceRun found;
  while (left_ > 0 && walk.next(&found)) {
    const std::size_t pages = (found.end - found.start) / kernel_.page_bytes;
    long ret = 0;
    if (found.what == Presence::kPage && ask_small_) {
      // All of these pages, unless the step ends here.
      const std::size_t some = std::min(pages, left_);
      PageRange small = {found.start, some};
      ret = read_each(&small, some, true, runs);
      if (ret == 0) ret = ask_each(&small, small.pages, runs);
      found.end = found.start + some * kernel_.page_bytes;
    } else if (found.what == Presence::kHugePage) {
      ret = ask_heads(found.start, found.end, runs);
    } else {
      append(runs, {found.start, pages, kNotAttempted, found.what});
    }
    if (ret != 0) return ret;
    *rest = {found.end, (end - found.end) / kernel_.page_bytes};
  }
  *unknown = walk.error();
  // A process that has ended has empty page tables, so this checks that it still exists.
  return other_process_ ? query_.ask(nullptr, 0, nullptr) : 0;
}

long Surveyor::ask_each(PageRange* rest, std::size_t most, std::vector<SurveyRun>* runs) {
  const std::size_t room = std::min(most, kAtOnce);
  if (pages_.size() < room) pages_.resize(room);
  if (status_.size() < room) status_.resize(room);
  if (kinds_.empty()) kinds_.resize(kAtOnce);
  for (std::size_t todo = std::min(most, left_); todo > 0;) {
    const std::size_t count = std::min(todo, kAtOnce);
    for (std::size_t i = 0; i < count; ++i) pages_[i] = rest->start + i * kernel_.page_bytes;
    const long ret = query_.ask(pages_.data(), count, status_.data());
    if (ret != 0) return ret;
    std::fill_n(kinds_.begin(), count, Presence::kPage);
    take(rest, count, runs);
    todo -= count;
  }
  return 0;
}

// Appends the pages just queried, and takes them off the range and off what is left of this step.
void Surveyor::take(PageRange* rest, std::size_t count, std::vector<SurveyRun>* runs) {
  for (std::size_t i = 0; i < count;) {
    std::size_t same = i + 1;
    while (same < count && status_[same] == status_[i] && kinds_[same] == kinds_[i]) ++same;
    append(runs, {rest->start + i * kernel_.page_bytes, same - i, status_[i], kinds_[i]});
    i = same;
  }
  rest->start += count * kernel_.page_bytes;
  rest->pages -= count;
  left_ -= count;
  small_pages_ += count;
}

long Surveyor::ask_heads(std::uintptr_t start, std::uintptr_t end, std::vector<SurveyRun>* runs) {
  const std::uintptr_t huge_page = kernel_.huge_page_bytes;
  if (pages_.size() < kAtOnce) pages_.resize(kAtOnce);
  if (status_.size() < kAtOnce) status_.resize(kAtOnce);
  // The size of a huge page is a power of two.
  const auto huge_page_behind = [last = huge_page - 1](std::uintptr_t at) {
    return (at | last) + 1;
  };
  while (start < end) {
    std::size_t count = 0;
    for (std::uintptr_t at = start; at < end && count < kAtOnce; at = huge_page_behind(at)) {
      pages_[count++] = at;
    }
    const long ret = query_.ask(pages_.data(), count, status_.data());
    if (ret != 0) return ret;
    const std::uintptr_t until = std::min(end, huge_page_behind(pages_[count - 1]));
    for (std::size_t i = 0; i < count; ++i) {
      const std::uintptr_t next = i + 1 < count ? pages_[i + 1] : until;
      append(runs,
             {pages_[i], (next - pages_[i]) / kernel_.page_bytes, status_[i], Presence::kHugePage});
    }
    start = until;
  }
  return 0;
}

}  // namespace movepages
