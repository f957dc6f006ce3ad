#include "driver/order.hpp"

#include <algorithm>
#include <limits>
#include <new>

namespace movepages {
namespace {

// A key holds a page number and, in the bits below it, the index in the list.
constexpr unsigned kIndexBits = 18;
constexpr unsigned kPageBits = 64 - kIndexBits;
static_assert(AddressOrder::kMost == std::size_t{1} << kIndexBits);
constexpr unsigned kDigitBits = 11;
constexpr std::size_t kDigits = std::size_t{1} << kDigitBits;

// One pass of a radix sort, by the digit that starts at bit `shift`.
void pass(const std::uint64_t* from, std::size_t count, unsigned shift,
          std::uint64_t* to) noexcept {
  std::size_t place[kDigits] = {};
  for (std::size_t i = 0; i < count; ++i) ++place[from[i] >> shift & (kDigits - 1)];
  std::size_t sum = 0;
  for (std::size_t& each : place) {
    const std::size_t here = each;
    each = sum;
    sum += here;
  }
  for (std::size_t i = 0; i < count; ++i) to[place[from[i] >> shift & (kDigits - 1)]++] = from[i];
}

}  // namespace

bool AddressOrder::pays(const std::uintptr_t* pages, std::size_t count) const noexcept {
  if (count < kFewest) return false;
  // A sample is enough: a list in order is in order nearly everywhere.
  constexpr std::size_t kSamples = 512;
  const std::size_t step = count / kSamples;
  std::size_t far = 0;
  for (std::size_t i = step; i < count; i += step) {
    const bool near = pages[i] - pages[i - 1] < 64 * page_bytes_;
    far += near ? 0 : 1;
  }
  return far > kSamples / 2;
}

bool AddressOrder::sort(const std::uintptr_t* pages, std::size_t count) noexcept {
  if (!make_room(count)) return false;
  std::uint64_t lowest = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t highest = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t page = pages[i] / page_bytes_;
    lowest = std::min(lowest, page);
    highest = std::max(highest, page);
  }
  if (highest - lowest >= std::uint64_t{1} << kPageBits) return false;
  for (std::size_t i = 0; i < count; ++i) {
    keys_[i] = (pages[i] / page_bytes_ - lowest) << kIndexBits | i;
  }
  for (unsigned shift = kIndexBits; shift < 64 && (highest - lowest) >> (shift - kIndexBits) != 0;
       shift += kDigitBits) {
    pass(keys_.get(), count, shift, other_.get());
    keys_.swap(other_);
  }
  for (std::size_t i = 0; i < count; ++i) {
    pages_[i] = static_cast<std::uintptr_t>((keys_[i] >> kIndexBits) + lowest) * page_bytes_;
  }
  return true;
}

void AddressOrder::give(std::size_t count, std::int32_t* status) const noexcept {
  for (std::size_t i = 0; i < count; ++i) status[keys_[i] & (kMost - 1)] = status_[i];
}

bool AddressOrder::make_room(std::size_t count) noexcept {
  if (count <= room_) return true;
  room_ = 0;
  keys_.reset(new (std::nothrow) std::uint64_t[count]);
  other_.reset(new (std::nothrow) std::uint64_t[count]);
  pages_.reset(new (std::nothrow) std::uintptr_t[count]);
  status_.reset(new (std::nothrow) std::int32_t[count]);
  if (!keys_ || !other_ || !pages_ || !status_) return false;
  room_ = count;
  return true;
}

}  // namespace movepages
