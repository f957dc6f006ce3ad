#include "bandwidth/team.hpp"

#include <sched.h>

#include <cerrno>
#include <new>

#include "driver/workers.hpp"
#include "kernel/affinity.hpp"
#include "kernel/kernel.hpp"

namespace movepages {

std::int64_t clock_ns() noexcept { return real_kernel().now_ns(); }

Team::Ended Team::run(const std::function<void(std::size_t)>& work, const Pause& pause) {
  {
    Workers workers;
    try {
      for (std::size_t index = 0; index < cpus_.size() && !stop_; ++index) {
        const bool started = workers.start([this, index, &work] { work_on_cpu(index, work); });
        if (!started) fail(-EAGAIN, index);
      }
    } catch (const std::bad_alloc&) {
      fail(-ENOMEM, 0);
    }
    // In a child forked meanwhile, a thread that is not there may hold the lock.
    if (!workers.wait([this, &pause] { watch(pause); })) {
      return {-ECANCELED, 0, result_.interrupted};
    }
  }
  return result_;
}

void Team::relax(std::size_t looked) noexcept {
  constexpr std::size_t kSpins = 1000;
  if (looked > kSpins) ::sched_yield();
}

void Team::work_on_cpu(std::size_t index, const std::function<void(std::size_t)>& work) noexcept {
  try {
    const long error = run_on({cpus_[index]});
    error == 0 ? work(index) : fail(error, index);
  } catch (const std::bad_alloc&) {
    fail(-ENOMEM, index);
  }
}

void Team::watch(const Pause& pause) noexcept {
  if (stop_ || pause.wanted == nullptr || !pause.wanted(pause.context)) return;
  result_.interrupted = true;
  stop_ = true;
}

void Team::fail(long error, std::size_t index) noexcept {
  const std::lock_guard lock(mutex_);
  stop_ = true;
  if (result_.error != 0) return;
  result_.error = error;
  result_.index = index;
}

}  // namespace movepages
