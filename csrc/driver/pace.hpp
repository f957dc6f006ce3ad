// Chooses how many pages a call moves, so that it ends within a time slice. A moving call has a
// fixed cost, which grows with the number of CPUs and their load, and a cost for each page. Both
// are estimated. At first, the time for which the thread did not run counts as the fixed cost: the
// kernel waits for all CPUs (lru_add_drain_all), but copies the pages itself.
#pragma once

#include <cstddef>
#include <cstdint>

namespace movepages {

constexpr std::int64_t kSliceNs = 25'000'000;

class Pace {
 public:
  static constexpr std::size_t kMost = std::size_t{1} << 18;
  // The very first call is small, because every entry may turn out to be a huge page: 256 of 2 MiB
  // take about 50 ms.
  static constexpr std::size_t kFirst = 256;

  explicit Pace(std::size_t first = kFirst) noexcept : next_(first) {}

  std::size_t next() const noexcept { return next_; }
  std::int64_t fixed_ns() const noexcept { return static_cast<std::int64_t>(fixed_ns_); }
  // Learns from a call that was given at most next() pages and processed `pages` of them. For
  // `waited_ns` of its time, the thread did not run; 0 if this is unknown. `dense` means that these
  // pages lie so close together that few can be huge.
  void learn(std::size_t pages, std::int64_t ns, std::int64_t waited_ns, bool dense) noexcept;

 private:
  struct Sample {
    double pages = 0;
    double ns = 0;
  };

  void begin(const Sample& now, double waited_ns, bool dense) noexcept;
  std::size_t second(const Sample& now, bool dense) const noexcept;
  std::size_t fitting(const Sample& now) const noexcept;
  double room() const noexcept;

  std::size_t next_;
  Sample last_;  // the last one that differed in size from the one before
  double fixed_ns_ = 0;
  double page_ns_ = 0;
};

}  // namespace movepages
