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
  if (!tells_ || !sound || range.pages < fewest_) return ask_each(range.start, range.pages, runs);
  PageRange rest = range;
  // Where there are small pages, there are mostly more: a scan would say nothing new.
  if (mostly_small_ && ask_small_) {
    small_ = 0;
    const long ret = read_each(&rest, runs);
    mostly_small_ = 8 * small_ >= 7 * (range.pages - rest.pages);
    if (ret != 0 || rest.pages == 0) return ret;
  }
  small_ = 0;
  const std::size_t before = runs->size();
  long unknown = 0;
  const long ret = look_by_page_tables(rest, runs, &unknown);
  mostly_small_ = 8 * small_ >= 7 * rest.pages;
  if (unknown == 0) return ret;
  tells_ = unknown != -ENOTTY;
  runs->resize(before);
  return ask_each(rest.start, rest.pages, runs);
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
        if (!ask_small_) {
          append(runs, {found.start, pages, kNotAttempted, found.what});
          break;
        }
        ret = ask_small(found.start, pages, runs);
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
    kinds_.assign(kAtOnce, Presence::kPage);
    append_each(start, count, runs);
    start += count * kernel_.page_bytes;
    pages -= count;
  }
  return 0;
}

long Surveyor::ask_small(std::uintptr_t start, std::size_t pages, std::vector<SurveyRun>* runs) {
  PageRange rest = {start, pages};
  const long ret = read_each(&rest, runs);
  small_ += rest.pages;
  return ret == 0 ? ask_each(rest.start, rest.pages, runs) : ret;
}

// Takes the node of each page from the number of its frame, and leaves in `rest` what it did not
// get to. A page of which the kernel does not say that it is a normal one, of one process or of a
// file, has no such number to go by: the zero page, a page of a device. These are asked for, and
// some of the others too: unless all are where their number puts them, no number is gone by any
// more.
long Surveyor::read_each(PageRange* rest, std::vector<SurveyRun>* runs) {
  while (blocks_ != nullptr && rest->pages > 0 && rest->pages >= by_number_) {
    const std::size_t count = std::min(rest->pages, kAtOnce);
    bool agrees = false;
    const long ret =
        fill_by_number(rest->start, count) ? hold_against_call(rest->start, count, &agrees) : 0;
    if (ret != 0) return ret;
    if (!agrees) {
      blocks_ = nullptr;
      break;
    }
    append_each(rest->start, count, runs);
    rest->start += count * kernel_.page_bytes;
    rest->pages -= count;
  }
  return 0;
}

bool Surveyor::fill_by_number(std::uintptr_t start, std::size_t count) {
  const MemoryBlocks& blocks = blocks_->get();
  if (entries_.empty()) entries_.resize(kAtOnce);
  if (kinds_.empty()) kinds_.resize(kAtOnce);
  if (status_.size() < kAtOnce) status_.resize(kAtOnce);
  if (blocks.empty()) return false;
  if (pagemap_.read(start, count, entries_.data()) != static_cast<long>(count)) return false;
  // Neighbours are mostly alike: all but their numbers, and the blocks that these are in.
  constexpr std::uint64_t kFlags = ~kPageFrameNumber;
  std::uint64_t last = ~entries_[0];
  unknown_ = small_now_ = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t entry = entries_[i];
    const bool alike = ((entry ^ last) & kFlags) == 0 && (entry & kPageFrameNumber) != 0 &&
                       blocks.same(entry & kPageFrameNumber, last & kPageFrameNumber);
    last = entry;
    if (alike) {
      kinds_[i] = kinds_[i - 1];
      status_[i] = status_[i - 1];
    } else {
      const std::uint64_t number = entry & kPageFrameNumber;
      const bool normal = (entry & (kPageExclusive | kPageOfFile)) != 0 && number != 0;
      kinds_[i] = presence_of(entry);
      status_[i] = kinds_[i] == Presence::kPage && normal ? blocks.node_of(number) : kNotAttempted;
    }
    const bool is_small = kinds_[i] == Presence::kPage;
    small_now_ += is_small;
    unknown_ += is_small && status_[i] < 0;
  }
  return true;
}

// Asks for the pages of unknown node, and for a sample of the others. `agrees` is false too where
// so many are unknown that the numbers are not worth reading.
long Surveyor::hold_against_call(std::uintptr_t start, std::size_t count, bool* agrees) {
  constexpr std::size_t kSampled = 512;
  if (pages_.size() < kAtOnce) pages_.resize(kAtOnce);
  if (said_.empty()) said_.resize(kAtOnce);
  asked_.clear();
  // The sampled place goes through all of them, in steps that share no factor with their number.
  const std::size_t sampled = portions_++ * std::size_t{197} % kSampled;
  if (unknown_ > small_now_ / 2) return 0;
  for (std::size_t i = unknown_ > 0 ? 0 : sampled; i < count; i += unknown_ > 0 ? 1 : kSampled) {
    if (kinds_[i] != Presence::kPage) continue;
    if (status_[i] >= 0 && i % kSampled != sampled) continue;
    pages_[asked_.size()] = start + i * kernel_.page_bytes;
    asked_.push_back(i);
  }
  const long ret = query_.ask(pages_.data(), asked_.size(), said_.data());
  for (std::size_t k = 0; ret == 0 && k < asked_.size(); ++k) {
    std::int32_t& status = status_[asked_[k]];
    if (status >= 0 && status != said_[k]) return 0;
    status = said_[k];
  }
  small_ += small_now_;
  *agrees = ret == 0;
  return ret;
}

void Surveyor::append_each(std::uintptr_t start, std::size_t count,
                           std::vector<SurveyRun>* runs) const {
  for (std::size_t i = 0; i < count;) {
    std::size_t same = i + 1;
    while (same < count && status_[same] == status_[i] && kinds_[same] == kinds_[i]) ++same;
    append(runs, {start + i * kernel_.page_bytes, same - i, status_[i], kinds_[i]});
    i = same;
  }
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
