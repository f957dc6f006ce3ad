#include "driver/pace.hpp"

#include <algorithm>

namespace movepages {
namespace {

constexpr auto kSlice = static_cast<double>(kSliceNs);
constexpr auto kMostPages = static_cast<double>(Pace::kMost);
// Times are noisy, so two calls show the costs only if their sizes differ by this factor.
constexpr double kDiffers = 1.25;
// The share of the fixed cost that may be noise. The pages of a call cost at least that much, even
// if the noise hides it.
constexpr double kNoise = 0.1;
// The first pages may be quick because they are in place or absent. Those behind them take about so
// long each to move.
constexpr double kUsualPageNs = 1'000;

}  // namespace

void Pace::learn(std::size_t pages, std::int64_t ns, std::int64_t waited_ns, bool dense) noexcept {
  const Sample now = {static_cast<double>(pages),
                      static_cast<double>(std::max<std::int64_t>(ns, 1))};
  if (last_.pages == 0) return begin(now, static_cast<double>(waited_ns), dense);
  const auto [few, many] =
      std::minmax(last_, now, [](const Sample& a, const Sample& b) { return a.pages < b.pages; });
  const bool differs = many.pages >= kDiffers * few.pages;
  // Fewer pages that took much longer than expected are of another kind. They do not raise the
  // fixed cost.
  const bool other = now.pages < last_.pages && now.ns > 2 * (fixed_ns_ + page_ns_ * now.pages);
  if (differs && !other) {
    const double slope = (many.ns - few.ns) / (many.pages - few.pages);
    page_ns_ = std::clamp(slope, 0.0, std::min(few.ns / few.pages, many.ns / many.pages));
    fixed_ns_ = std::max(0.0, now.ns - page_ns_ * now.pages);
    // More than this is due to pages of another kind.
    const double most = waited_ns > 0 ? 2 * static_cast<double>(waited_ns) : now.ns;
    if (fixed_ns_ > most) {
      fixed_ns_ = most;
      page_ns_ = (now.ns - most) / now.pages;
    }
  } else {
    fixed_ns_ = std::min(fixed_ns_, now.ns);
    page_ns_ = (now.ns - fixed_ns_) / now.pages;
  }
  if (differs) last_ = now;
  next_ = fitting(now);
}

// Later calls do not use the time that the thread waited: if other threads keep it from running,
// that time grows with the pages, and calls sized by it would become ever longer.
void Pace::begin(const Sample& now, double waited_ns, bool dense) noexcept {
  last_ = now;
  fixed_ns_ = std::clamp(waited_ns, 0.0, now.ns);
  page_ns_ = std::max((now.ns - fixed_ns_) / now.pages, kUsualPageNs);
  const double fits = room() / page_ns_;
  next_ = fixed_ns_ > 0 ? static_cast<std::size_t>(std::clamp(fits, 1.0, kMostPages))
                        : second(now, dense);
}

// One call cannot separate the fixed cost from the cost of the pages. The second call has another
// size, and it is short enough even if the pages caused all of the cost.
std::size_t Pace::second(const Sample& now, bool dense) const noexcept {
  const double factor = now.ns <= kSlice / 4 ? 4 : now.ns <= kSlice || dense ? 2 : 0.125;
  return static_cast<std::size_t>(std::clamp(now.pages * factor, 1.0, kMostPages));
}

// The time that a call may spend on pages: at least twice its fixed cost, even if that exceeds a
// slice. Smaller calls would hardly be shorter, and there would be many of them.
double Pace::room() const noexcept { return std::max(kSlice - fixed_ns_, 2 * fixed_ns_); }

std::size_t Pace::fitting(const Sample& now) const noexcept {
  const double page_ns = std::max(page_ns_, kNoise * fixed_ns_ / now.pages);
  // Growth is limited because the next pages may be of another kind. A call that ended early is no
  // reason to shrink.
  const double growth = fixed_ns_ > now.ns / 2 ? 32 : 4;
  const double most =
      std::min(std::max(growth * now.pages, static_cast<double>(next_)), kMostPages);
  const double fits = page_ns * most > room() ? room() / page_ns : most;
  return static_cast<std::size_t>(std::max(fits, 1.0));
}

}  // namespace movepages
