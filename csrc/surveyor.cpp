#include "surveyor.hpp"

#include <algorithm>
#include <cerrno>

namespace movepages {
namespace {

// Scratch of 48 KiB, which a processor's nearest caches hold.
constexpr std::size_t kAtOnce = 4096;
// No process has memory from here on.
constexpr std::uintptr_t kUserEnd = std::uintptr_t{1} << (8 * sizeof(std::uintptr_t) - 1);

void append(std::vector<SurveyRun>* runs, const SurveyRun& run) {
  if (!runs->empty()) {
    SurveyRun& last = runs->back();
    const bool same = last.status == run.status && last.what == run.what;
    if (same && last.start + last.pages * page_bytes() == run.start) {
      last.pages += run.pages;
      return;
    }
  }
  runs->push_back(run);
}

}  // namespace

long Surveyor::look(const PageRange& range, std::vector<SurveyRun>* runs) {
  const bool sound =
      range.start < kUserEnd && range.pages <= (kUserEnd - range.start) / kernel_.page_bytes;
  if (tells_ && sound && range.pages >= fewest_) {
    const std::size_t before = runs->size();
    long unknown = 0;
    const long ret = look_by_page_tables(range, runs, &unknown);
    if (unknown == 0) return ret;
    tells_ = unknown != -ENOTTY;
    runs->resize(before);
  }
  return ask_each(range.start, range.pages, runs);
}

long Surveyor::look_by_page_tables(const PageRange& range, std::vector<SurveyRun>* runs,
                                   long* unknown) {
  PresenceWalk walk(pagemap_, range.start, range.start + range.pages * kernel_.page_bytes,
                    PresenceWalk::kScanOnly);
  PresenceRun found;
  while (walk.next(&found)) {
    const std::size_t pages = (found.end - found.start) / kernel_.page_bytes;
    long ret = 0;
    switch (found.what) {
      case Presence::kHugePage:
        ret = ask_heads(found.start, found.end, runs);
        break;
      case Presence::kPage:
        ret = ask_each(found.start, pages, runs);
        break;
      default:
        append(runs, {found.start, pages, kNotAttempted, found.what});
    }
    if (ret != 0) return ret;
  }
  *unknown = walk.error();
  // The page tables of a process that is no more are empty: that it is still there has to be known.
  return other_process_ ? query_.ask(nullptr, 0, nullptr) : 0;
}

long Surveyor::ask_each(std::uintptr_t start, std::size_t pages, std::vector<SurveyRun>* runs) {
  const std::size_t room = std::min(pages, kAtOnce);
  if (pages_.size() < room) pages_.resize(room);
  if (status_.size() < room) status_.resize(room);
  while (pages > 0) {
    const std::size_t count = std::min(pages, kAtOnce);
    for (std::size_t i = 0; i < count; ++i) pages_[i] = start + i * kernel_.page_bytes;
    const long ret = query_.ask(pages_.data(), count, status_.data());
    if (ret != 0) return ret;
    for (std::size_t i = 0; i < count;) {
      std::size_t same = i + 1;
      while (same < count && status_[same] == status_[i]) ++same;
      append(runs, {pages_[i], same - i, status_[i], Presence::kPage});
      i = same;
    }
    start += count * kernel_.page_bytes;
    pages -= count;
  }
  return 0;
}

long Surveyor::ask_heads(std::uintptr_t start, std::uintptr_t end, std::vector<SurveyRun>* runs) {
  const std::uintptr_t frame = kernel_.frame_bytes;
  if (pages_.size() < kAtOnce) pages_.resize(kAtOnce);
  if (status_.size() < kAtOnce) status_.resize(kAtOnce);
  while (start < end) {
    std::size_t count = 0;
    for (std::uintptr_t at = start; at < end && count < kAtOnce; at = (at / frame + 1) * frame) {
      pages_[count++] = at;
    }
    const long ret = query_.ask(pages_.data(), count, status_.data());
    if (ret != 0) return ret;
    const std::uintptr_t until = std::min(end, (pages_[count - 1] / frame + 1) * frame);
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
