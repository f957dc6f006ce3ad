#include "bandwidth/traffic.hpp"

#include <algorithm>

#include "bandwidth/loops.hpp"

namespace movepages {
namespace {

// A thread passes over this much in less than a millisecond, and then looks whether it is stopped.
constexpr std::size_t kBlockBytes = std::size_t{1} << 20;
constexpr std::size_t kLeastRounds = 3;

// Each thread writes to a cache line of its own.
struct alignas(128) Lap {
  std::int64_t start = 0;
  std::int64_t end = 0;
  std::uint64_t sum = 0;
};

std::vector<int> cpus_of(const std::vector<TrafficPart>& parts) {
  std::vector<int> cpus;
  for (const TrafficPart& part : parts) cpus.push_back(part.cpu);
  return cpus;
}

class Rounds {
 public:
  Rounds(Traffic kind, const std::vector<TrafficPart>& parts, std::int64_t least_ns)
      : kind_(kind),
        parts_(parts),
        least_ns_(least_ns),
        laps_(parts.size()),
        cpus_(cpus_of(parts)),
        team_(cpus_) {}

  TrafficTime run(const Pause& pause) {
    begun_ = clock_ns();
    found_.ended = team_.run([this](std::size_t index) { work(index); }, pause);
    for (const Lap& lap : laps_) found_.sums.push_back(lap.sum);
    return found_;
  }

 private:
  void work(std::size_t index) noexcept {
    const TrafficPart& part = parts_[index];
    Lap& lap = laps_[index];
    while (team_.meet([] {})) {
      lap.start = clock_ns();
      lap.sum = pass_over(part, kind_);
      lap.end = clock_ns();
      if (!team_.meet([this] { count_round(); }) || done_) break;
    }
    if (kind_ != Traffic::kRead) lap.sum = pass_over(part, Traffic::kRead);
  }

  std::uint64_t pass_over(const TrafficPart& part, Traffic kind) const noexcept {
    std::uint64_t sum = 0;
    for (std::size_t at = 0; at < part.bytes && !team_.stopped(); at += kBlockBytes) {
      const std::size_t bytes = std::min(kBlockBytes, part.bytes - at);
      unsigned char* const memory = part.memory + at;
      if (kind == Traffic::kRead) sum += sum_words(memory, bytes);
      if (kind == Traffic::kWrite) write_words(memory, bytes);
      if (kind == Traffic::kCopy) copy_words(memory, part.source + at, bytes);
    }
    return sum;
  }

  void count_round() noexcept {
    std::int64_t start = laps_[0].start;
    std::int64_t end = laps_[0].end;
    for (const Lap& lap : laps_) {
      start = std::min(start, lap.start);
      end = std::max(end, lap.end);
    }
    const std::int64_t took = end - start;
    found_.best_ns = found_.rounds == 0 ? took : std::min(found_.best_ns, took);
    ++found_.rounds;
    done_ = found_.rounds >= kLeastRounds && end - begun_ >= least_ns_;
  }

  const Traffic kind_;
  const std::vector<TrafficPart>& parts_;
  const std::int64_t least_ns_;
  std::vector<Lap> laps_;
  const std::vector<int> cpus_;
  Team team_;
  std::int64_t begun_ = 0;
  bool done_ = false;  // written while the others wait
  TrafficTime found_;
};

}  // namespace

TrafficTime measure_traffic(Traffic kind, const std::vector<TrafficPart>& parts,
                            std::int64_t least_ns, const Pause& pause) {
  return Rounds(kind, parts, least_ns).run(pause);
}

}  // namespace movepages
