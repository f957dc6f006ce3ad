#include "bandwidth/chase.hpp"

#include <algorithm>
#include <random>
#include <utility>

#include "bandwidth/loops.hpp"

namespace movepages {
namespace {

// Following this many links takes 5-20 ms.
constexpr std::size_t kStretch = std::size_t{1} << 16;
constexpr std::size_t kLeastStretches = 3;

struct Link {
  const Link* next;
};

class Chase {
 public:
  Chase(unsigned char* memory, std::size_t bytes, std::size_t line, std::int64_t least_ns)
      : memory_(memory), lines_(bytes / line), line_(line), least_ns_(least_ns) {}

  // Sattolo's algorithm: exchanging each element with one before it, never with itself, makes a
  // single cycle of all.
  void link(std::uint64_t seed, const Team& team) noexcept {
    for (std::size_t i = 0; i < lines_; ++i) at(i)->next = at(i);
    std::mt19937_64 random(seed);
    for (std::size_t i = lines_ - 1; i > 0; --i) {
      if (i % kStretch == 0 && team.stopped()) return;
      // The remainder favours some lines by less than one in a billion.
      std::swap(at(i)->next, at(random() % i)->next);
    }
    from_ = at(0);
  }

  ChaseTime follow(const Team& team) noexcept {
    // Lines that are in a cache, since they were linked, would look quick.
    flush_lines(memory_, lines_ * line_, line_);
    ChaseTime found;
    const std::size_t stretch = std::min(kStretch, lines_);
    const std::size_t most = std::max(lines_, kLeastStretches * stretch);
    const std::int64_t begun = clock_ns();
    std::int64_t now = begun;
    while (!team.stopped() && found.steps + stretch <= most &&
           (found.steps < kLeastStretches * stretch || now - begun < least_ns_)) {
      const std::int64_t before = clock_ns();
      const Link* link = from_;
      for (std::size_t step = 0; step < stretch; ++step) link = link->next;
      // Without a use, the compiler would leave out the loads.
      asm volatile("" : "+r"(link));
      now = clock_ns();
      from_ = link;
      const double each = static_cast<double>(now - before) / static_cast<double>(stretch);
      found.best_ns = found.steps == 0 ? each : std::min(found.best_ns, each);
      found.steps += stretch;
    }
    found.last = reinterpret_cast<std::uintptr_t>(from_);
    return found;
  }

 private:
  Link* at(std::size_t index) const noexcept {
    return reinterpret_cast<Link*>(memory_ + index * line_);
  }

  unsigned char* const memory_;
  const std::size_t lines_;
  const std::size_t line_;
  const std::int64_t least_ns_;
  const Link* from_ = nullptr;
};

}  // namespace

ChaseTimes measure_chase(unsigned char* memory, std::size_t bytes, std::size_t line,
                         const std::vector<int>& cpus, std::int64_t least_ns, std::uint64_t seed,
                         const Pause& pause) {
  Chase chase(memory, bytes, line, least_ns);
  ChaseTimes times;
  for (std::size_t i = 0; i < cpus.size(); ++i) {
    const std::vector<int> one = {cpus[i]};
    Team team(one);
    ChaseTime found;
    times.ended = team.run(
        [&](std::size_t) {
          if (i == 0) chase.link(seed, team);
          if (!team.stopped()) found = chase.follow(team);
        },
        pause);
    times.ended.index = i;
    if (times.ended.error != 0 || times.ended.interrupted) break;
    times.found.push_back(found);
    // Many chases may each end before the team looks for a signal.
    times.ended.interrupted = pause.wanted != nullptr && pause.wanted(pause.context);
    if (times.ended.interrupted) break;
  }
  return times;
}

}  // namespace movepages
