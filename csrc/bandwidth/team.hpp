// Threads that are pinned to one CPU each and start their work at the same moment.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <vector>

#include "driver/migrate.hpp"

namespace movepages {

class Team {
 public:
  struct Ended {
    long error = 0;         // 0, or the -errno with which a thread could not start or be pinned
    std::size_t index = 0;  // with an error: which thread
    bool interrupted = false;
  };

  explicit Team(const std::vector<int>& cpus) : cpus_(cpus) {}

  // Runs `work(index)` in a thread on each CPU, until all return. A signal sets stopped(). All
  // threads have ended when it returns. Throws std::bad_alloc.
  Ended run(const std::function<void(std::size_t)>& work, const Pause& pause);

  bool stopped() const noexcept { return stop_.load(std::memory_order_relaxed); }

  // Waits until all threads have come here; the last one calls `last` before any goes on. Returns
  // false if the team was stopped.
  template <typename Last>
  bool meet(Last last) noexcept {
    const std::size_t turn = turn_;
    if (++waiting_ == cpus_.size()) {
      last();
      waiting_ = 0;
      turn_ = turn + 1;
    }
    for (std::size_t looked = 0; turn_ == turn; ++looked) {
      if (stopped()) return false;
      relax(looked);
    }
    return !stopped();
  }

 private:
  // Another thread of the team may wait for this CPU, if others use it, too.
  static void relax(std::size_t looked) noexcept;
  void work_on_cpu(std::size_t index, const std::function<void(std::size_t)>& work) noexcept;
  void watch(const Pause& pause) noexcept;
  void fail(long error, std::size_t index) noexcept;

  const std::vector<int>& cpus_;
  std::atomic<bool> stop_{false};
  std::atomic<std::size_t> waiting_{0};
  std::atomic<std::size_t> turn_{0};
  std::mutex mutex_;
  Ended result_;
};

// Monotonic nanoseconds.
std::int64_t clock_ns() noexcept;

}  // namespace movepages
