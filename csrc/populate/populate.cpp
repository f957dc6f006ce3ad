#include "populate/populate.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <deque>
#include <mutex>
#include <new>
#include <optional>
#include <thread>

#include "driver/workers.hpp"
#include "kernel/affinity.hpp"
#include "kernel/policy.hpp"
#include "populate/bound_thread.hpp"
#include "populate/parts.hpp"
#include "populate/room.hpp"

namespace movepages {
namespace {

constexpr int kMadvPopulateWrite = 23;

// A CPU gives back its list of another node's pages a few at a time, after three seconds without
// use: refresh_cpu_vm_stats() in mm/vmstat.c.
constexpr auto kBetweenLooks = std::chrono::milliseconds(50);
constexpr int kMostLooks = 120;

class Populator {
 public:
  Populator(const std::vector<NodeShare>& shares, const Pause& pause)
      : shares_(shares), pause_(pause) {
    for (const NodeShare& share : shares) parts_.emplace_back(share);
  }

  Populated run() {
    {
      Workers workers;
      std::vector<std::size_t> own;
      try {
        for (std::size_t share = 0; share < shares_.size(); ++share) {
          if (!start_threads(share, &workers)) own.push_back(share);
        }
        for (const std::size_t share : own) work(share, true);
        // In a child forked meanwhile, a thread that is not there may hold the lock.
        if (!workers.wait([this] { check_signals(); })) {
          return {-ECANCELED, -1, false, found_.interrupted};
        }
      } catch (const std::bad_alloc&) {
        fail(-ENOMEM, -1, false);
      }
    }
    return found_;
  }

 private:
  // False if the calling thread has to do the work of this share.
  bool start_threads(std::size_t share, Workers* workers) {
    const std::size_t most = parts_[share].left() / part_bytes() + 1;
    const auto wanted = std::min<std::size_t>(shares_[share].threads, most);
    for (std::size_t started = 0; started < wanted; ++started) {
      const bool runs = workers->start([this, share] {
        // Without these CPUs the thread is slower, and no page is elsewhere.
        run_on(shares_[share].cpus);
        work(share, false);
      });
      if (!runs) return started > 0;
    }
    return wanted > 0;
  }

  void check_signals() noexcept {
    if (stop_ || pause_.wanted == nullptr || !pause_.wanted(pause_.context)) return;
    found_.interrupted = true;
    stop_ = true;
  }

  void work(std::size_t share, bool watches) noexcept {
    try {
      std::vector<ByteRange> part;
      while (!stop_) {
        const std::size_t bytes = parts_[share].take(&part);
        if (bytes == 0) return;
        populate_part(share, part, bytes, watches);
        // Handlers of signals run with the thread's own policy.
        if (watches) check_signals();
      }
    } catch (const std::bad_alloc&) {
      fail(-ENOMEM, node_of(share), false);
    }
  }

  // Returns -1 for several nodes or none.
  std::int32_t node_of(std::size_t share) const noexcept {
    const std::vector<std::int32_t>& nodes = shares_[share].nodes;
    return nodes.size() == 1 ? nodes[0] : -1;
  }

  void populate_part(std::size_t share, const std::vector<ByteRange>& part, std::size_t bytes,
                     bool watches) {
    const std::size_t all = part_bytes() * std::max(shares_[share].threads, 1U);
    if (short_node(share, std::max(std::min(parts_[share].left(), all), bytes)) < 0) {
      populate_ranges(share, part);
      parts_[share].finished(bytes);
      return;
    }
    // Where room is short, one thread at a time asks for its own part alone.
    const std::lock_guard alone(parts_[share].alone());
    if (shares_[share].nodes.size() == 1) {
      populate_in_steps(share, part, watches);
    } else if (const std::int32_t full = short_node(share, bytes); full >= 0) {
      fail(-ENOMEM, full, true);
    } else {
      populate_ranges(share, part);
    }
    // The next thread asks for what is left.
    parts_[share].finished(bytes);
  }

  // Uses what the lists of the CPUs hold, too, without asking the kernel for more than is free.
  void populate_in_steps(std::size_t share, const std::vector<ByteRange>& part, bool watches) {
    std::size_t left = parts_[share].left();
    each_step(part, [&](const std::vector<ByteRange>& step, std::size_t bytes) {
      await_room(share, bytes, left, watches);
      if (!stop_) populate_ranges(share, step);
      left -= bytes;
      return !stop_;
    });
  }

  // Fails if the lists hold too little for all that is left, or do not come back.
  void await_room(std::size_t share, std::size_t bytes, std::size_t left, bool watches) {
    const std::int32_t node = shares_[share].nodes[0];
    const std::int64_t reserve = shares_[share].reserves[0];
    const std::int64_t at_once = static_cast<std::int64_t>(bytes) + reserve;
    const std::int64_t needed = static_cast<std::int64_t>(left) + reserve;
    for (int looks = 0; !stop_ && !has_room(node, at_once); ++looks) {
      if (looks == kMostLooks || !may_have_room(node, needed)) return fail(-ENOMEM, node, true);
      std::this_thread::sleep_for(kBetweenLooks);
      if (watches) check_signals();
    }
  }

  void populate_ranges(std::size_t share, const std::vector<ByteRange>& ranges) {
    std::optional<BoundThread> bound;
    if (!shares_[share].nodes.empty()) bound.emplace(shares_[share].nodes);
    if (bound && bound->error() != 0) return fail(bound->error(), node_of(share), false);
    for (const ByteRange& range : ranges) {
      const long ret = populate_range(range);
      if (ret != 0) return fail(ret, node_of(share), false);
    }
  }

  // Returns a node of a share that may lack room for its part of some bytes; -1 if there is none.
  std::int32_t short_node(std::size_t share, std::size_t bytes) const {
    const NodeShare& its = shares_[share];
    const std::size_t count = its.nodes.size();
    for (std::size_t i = 0; i < count; ++i) {
      const std::int64_t needed = static_cast<std::int64_t>(bytes / count) + its.reserves[i];
      if (!(count == 1 ? has_plenty(its.nodes[i], needed) : has_free(its.nodes[i], needed))) {
        return its.nodes[i];
      }
    }
    return -1;
  }

  long populate_range(const ByteRange& range) const noexcept {
    long ret = 0;
    do {
      ret = advise(range.start, range.bytes, kMadvPopulateWrite);
    } while (ret == -EINTR && !stop_);
    return stop_ ? 0 : ret;
  }

  void fail(long error, std::int32_t node, bool full) noexcept {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    if (found_.error != 0) return;
    found_.error = error;
    found_.node = node;
    found_.full = full;
  }

  const std::vector<NodeShare>& shares_;
  const Pause& pause_;
  std::deque<Parts> parts_;  // its elements never move
  std::mutex mutex_;
  std::atomic<bool> stop_{false};
  Populated found_;
};

}  // namespace

Populated populate(const std::vector<NodeShare>& shares, const Pause& pause) {
  return Populator(shares, pause).run();
}

}  // namespace movepages
