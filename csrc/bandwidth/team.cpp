#include "bandwidth/team.hpp"

#include <sched.h>

#include <cerrno>
#include <chrono>
#include <new>
#include <system_error>
#include <thread>

#include "driver/pace.hpp"
#include "kernel/affinity.hpp"
#include "kernel/kernel.hpp"

namespace movepages {

std::int64_t clock_ns() noexcept { return real_kernel().now_ns(); }

Team::Ended Team::run(const std::function<void(std::size_t)>& work, const Pause& pause) {
  std::vector<std::thread> threads;
  threads.reserve(cpus_.size());
  for (std::size_t index = 0; index < cpus_.size() && !stop_; ++index) {
    const std::lock_guard lock(mutex_);
    try {
      threads.emplace_back([this, index, &work] { work_on_cpu(index, work); });
      ++running_;
    } catch (const std::system_error&) {
      stop_ = true;
      result_.error = -EAGAIN;
      result_.index = index;
    } catch (const std::bad_alloc&) {
      stop_ = true;
      result_.error = -ENOMEM;
    }
  }
  wait(pause);
  for (std::thread& thread : threads) thread.join();
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
  const std::lock_guard lock(mutex_);
  --running_;
  ended_.notify_one();
}

void Team::wait(const Pause& pause) {
  std::unique_lock lock(mutex_);
  while (running_ > 0) {
    ended_.wait_for(lock, std::chrono::nanoseconds(kSliceNs));
    if (stop_ || running_ == 0) continue;
    lock.unlock();
    const bool interrupted = pause.wanted != nullptr && pause.wanted(pause.context);
    lock.lock();
    if (!interrupted) continue;
    result_.interrupted = true;
    stop_ = true;
  }
}

void Team::fail(long error, std::size_t index) noexcept {
  const std::lock_guard lock(mutex_);
  stop_ = true;
  if (result_.error != 0) return;
  result_.error = error;
  result_.index = index;
}

}  // namespace movepages
