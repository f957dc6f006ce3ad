// The part of a survey that takes the nodes of small pages from their frame numbers.
#include <algorithm>

#include "survey/surveyor.hpp"

namespace movepages {

// Takes the node of each page from its frame number, as far as possible. A page that is neither
// exclusive nor file-backed has no usable number: it may be the zero page or a page of a device.
// Such pages are queried, and so is a sample of the others. If a page of the sample is not on the
// node that its number shows, numbers are no longer used. Unless a scan has found the pages,
// numbers of file-backed ones are not used either: the huge zero page looks like these.
long Surveyor::read_each(PageRange* rest, std::size_t most, bool scanned,
                         std::vector<SurveyRun>* runs) {
  for (std::size_t todo = std::min(most, left_);
       blocks_ != nullptr && todo >= by_number_ && todo > 0;) {
    const std::size_t count = std::min(todo, kAtOnce);
    bool agrees = false;
    const long ret = fill_by_number(rest->start, count, scanned)
                         ? hold_against_call(rest->start, count, &agrees)
                         : 0;
    if (ret != 0) return ret;
    if (!agrees) {
      // After a scan, more of the numbers can be used.
      if (scanned) blocks_ = nullptr;
      break;
    }
    take(rest, count, runs);
    todo -= count;
  }
  return 0;
}

bool Surveyor::fill_by_number(std::uintptr_t start, std::size_t count, bool scanned) {
  const MemoryBlocks& blocks = blocks_->get();
  if (entries_.empty()) entries_.resize(kAtOnce);
  if (kinds_.empty()) kinds_.resize(kAtOnce);
  if (status_.size() < kAtOnce) status_.resize(kAtOnce);
  if (blocks.empty()) return false;
  if (pagemap_.read(start, count, entries_.data()) != static_cast<long>(count)) return false;
  // Adjacent pages mostly have the same flags, and numbers in the same memory block.
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
      const std::uint64_t owner = entry & (kPageExclusive | kPageOfFile);
      const bool normal = number != 0 && (scanned ? owner != 0 : owner == kPageExclusive);
      kinds_[i] = presence_of(entry);
      status_[i] = kinds_[i] == Presence::kPage && normal ? blocks.node_of(number) : kNotAttempted;
    }
    const bool is_small = kinds_[i] == Presence::kPage;
    small_now_ += is_small;
    unknown_ += is_small && status_[i] < 0;
  }
  return true;
}

// Queries the pages with an unknown node and a sample of the others. `agrees` is false if the
// sample contradicts a frame number, or if frame numbers leave too many nodes unknown.
long Surveyor::hold_against_call(std::uintptr_t start, std::size_t count, bool* agrees) {
  constexpr std::size_t kSampled = 512;
  if (pages_.size() < kAtOnce) pages_.resize(kAtOnce);
  if (said_.empty()) said_.resize(kAtOnce);
  asked_.clear();
  // The sampled offset takes every value below kSampled: 197 shares no factor with it.
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
  *agrees = ret == 0;
  return ret;
}

}  // namespace movepages
