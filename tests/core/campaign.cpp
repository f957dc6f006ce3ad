// Makes random pages, requests and mishaps, and checks each call against the model's truth.
#include <algorithm>
#include <cstdio>

#include "cases.hpp"
#include "check.hpp"
#include "trial.hpp"

namespace {

// splitmix64 gives the same numbers for a seed with every library.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  std::size_t below(std::size_t limit) { return next() % limit; }
  int node() { return static_cast<int>(below(model::kNodes)); }
  bool one_in(std::size_t n) { return below(n) == 0; }
  template <class T, std::size_t N>
  T among(const T (&values)[N]) {
    return values[below(N)];
  }

 private:
  std::uint64_t state_;
};

struct Coverage {
  long calls = 0, pages = 0, arrived = 0, failed = 0, untried = 0;
  long no_memory = 0, interrupted = 0, rejected = 0, stopped = 0;

  void count(const Trial& trial) {
    ++calls;
    pages += static_cast<long>(trial.pages.size());
    for (const std::int32_t value : trial.status) {
      ++(value >= 0 ? arrived : value == movepages::kNotAttempted ? untried : failed);
    }
    const movepages::Outcome& outcome = trial.outcome;
    interrupted += outcome.interrupted;
    rejected += outcome.rejected;
    no_memory += outcome.error == -ENOMEM;
    stopped += outcome.error != 0 && outcome.error != -ENOMEM && !outcome.rejected;
  }
};

void add_folio(Random& random, model::Kernel& kernel, std::size_t trouble,
               std::vector<std::uintptr_t>& world) {
  if (random.one_in(trouble)) {
    world.push_back(random.one_in(3) ? kernel.add_error(-EFAULT) : kernel.add_absent());
    return;
  }
  model::Folio folio;
  folio.node = random.node();
  if (random.one_in(6)) folio.size = random.among<std::size_t>({2, 4, 16, 64});
  folio.hugetlb = folio.size > 1 && random.one_in(3);
  if (random.one_in(trouble)) folio.failures = random.among({model::kPinned, 1, 2});
  folio.isolable = !random.one_in(2 * trouble);
  const std::uintptr_t head = random.one_in(8) ? kernel.add_huge(folio) : kernel.add(folio);
  folio.size = kernel.folio(head).size;
  const bool all_shared = random.one_in(2 * trouble);
  const bool hidden = random.one_in(trouble);
  if (hidden) kernel.hide(head, random.among({1, 1, 2, 3}));
  for (std::size_t k = 0; k < folio.size; ++k) {
    world.push_back(model::Kernel::piece(head, k));
    // Pages that one entry maps are shared together.
    if (all_shared || (!kernel.is_huge(head) && random.one_in(8 * trouble)))
      kernel.page(world.back()).shared = true;
  }
}

void choose_pages(Random& random, Trial& trial, const std::vector<std::uintptr_t>& world) {
  trial.pages = world;
  if (random.one_in(3)) {
    for (std::uintptr_t& page : trial.pages) page = world[random.below(world.size())];
  } else if (random.one_in(3)) {
    std::reverse(trial.pages.begin(), trial.pages.end());
  } else if (random.one_in(3)) {
    for (std::size_t i = world.size(); i > 1; --i) {
      std::swap(trial.pages[i - 1], trial.pages[random.below(i)]);
    }
  }
}

void choose_targets(Random& random, Trial& trial) {
  trial.all = random.node();
  if (random.one_in(2)) return;
  const std::size_t run = random.among<std::size_t>({1, 3, 20, 500});
  int node = random.node();
  for (std::size_t i = 0; i < trial.pages.size(); ++i) {
    if (random.one_in(run)) node = random.node();
    trial.each.push_back(node);
  }
  if (random.one_in(12)) trial.each[random.below(trial.each.size())] = random.among({-1, 4, 1024});
}

void choose_mishaps(Random& random, Trial& trial) {
  model::Kernel& kernel = trial.kernel;
  if (random.one_in(3)) {
    for (long& free : kernel.free) free = static_cast<long>(random.below(trial.pages.size() + 1));
  }
  if (random.one_in(4)) kernel.freed_per_call = 3;
  if (random.one_in(8)) kernel.has_memory[random.below(model::kNodes)] = false;
  if (random.one_in(8)) kernel.in_cpuset[random.below(model::kNodes)] = false;
  kernel.nodes_known = !random.one_in(4);
  kernel.privileged = !random.one_in(8);
  if (random.one_in(4)) kernel.eintr_every = random.among({2, 3, 7});
  if (random.one_in(6)) {
    kernel.fails_from = 1 + static_cast<long>(random.below(random.among<std::size_t>({4, 40})));
    if (random.one_in(3)) kernel.fails_for = 20;
    kernel.fails_with = random.among({-ESRCH, -EPERM, -EINTR});
  }
  kernel.page_ns = random.among({0, 100, 20'000, 2'000'000, 60'000'000});
  if (random.one_in(4)) trial.pause_after = static_cast<long>(random.below(4));
  trial.flags = random.among({0, 2, 2, 2, 4, 6});
  if (random.one_in(50)) trial.flags |= 8;
  trial.pid = random.one_in(3) ? 4711 : 0;
  trial.untold = random.one_in(4);
  if (random.one_in(4)) trial.threads = random.among<std::size_t>({2, 3, 8});
}

void run_one(std::uint64_t seed, Coverage& coverage) {
  check::seed = seed;
  Random random(seed);
  model::Version version = random.one_in(2) ? model::k6_1 : model::k6_12;
  version.splits_when_full = random.one_in(2);
  model::Kernel kernel(version);
  std::vector<std::uintptr_t> world;
  const std::size_t size = 1 + random.below(random.one_in(7) ? 1500 : 40);
  const std::size_t trouble = random.among<std::size_t>({4, 20, 1000});
  while (world.size() < size) add_folio(random, kernel, trouble, world);
  Trial trial(kernel);
  choose_pages(random, trial, world);
  choose_targets(random, trial);
  choose_mishaps(random, trial);
  trial.moves = !random.one_in(20);
  trial.run();
  coverage.count(trial);
}

}  // namespace

void run_campaign(long calls, unsigned long long seed) {
  Coverage seen;
  for (long k = 0; k < calls; ++k) run_one(seed + static_cast<std::uint64_t>(k), seen);
  std::printf(
      "%ld calls from seed %llu, %ld pages: %ld arrived, %ld failed, %ld untried; "
      "calls without memory %ld, interrupted %ld, rejected %ld, stopped %ld\n",
      seen.calls, seed, seen.pages, seen.arrived, seen.failed, seen.untried, seen.no_memory,
      seen.interrupted, seen.rejected, seen.stopped);
}
