// Threads at work, and the calling thread, which looks for signals until all of them have ended. A
// handler of such a signal may fork: the child has none of these threads.
#pragma once

#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "driver/pace.hpp"

namespace movepages {

class Workers {
 public:
  Workers() = default;
  ~Workers() {
    for (std::thread& thread : threads_) thread.join();
  }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // Runs `work`, which must not throw, in a new thread. Returns false if there can be none. Throws
  // std::bad_alloc.
  template <typename Work>
  bool start(Work work) {
    threads_.reserve(threads_.size() + 1);
    change(1);
    try {
      threads_.emplace_back([this, work = std::move(work)]() mutable {
        work();
        change(-1);
      });
    } catch (const std::system_error&) {
      change(-1);
      return false;
    } catch (...) {
      change(-1);
      throw;
    }
    return true;
  }

  // Calls `watch` once every time slice until all threads have ended. Returns false in a child that
  // was forked meanwhile.
  template <typename Watch>
  bool wait(Watch watch) {
    const auto ended = [this] { return running_ == 0; };
    if (is_child()) return leave();
    std::unique_lock lock(mutex_);
    while (!ended_.wait_for(lock, std::chrono::nanoseconds(kSliceNs), ended)) {
      lock.unlock();
      watch();
      // The child cannot take the lock if one of the threads held it.
      if (is_child()) return leave();
      lock.lock();
    }
    return true;
  }

 private:
  bool is_child() const noexcept { return ::getpid() != process_; }

  // Keeps the destructor from joining threads that do not exist.
  bool leave() {
    static_cast<void>(new std::vector<std::thread>(std::move(threads_)));
    threads_.clear();
    return false;
  }

  void change(int by) noexcept {
    const std::lock_guard lock(mutex_);
    running_ += by;
    ended_.notify_one();
  }

  std::mutex mutex_;
  std::condition_variable ended_;
  int running_ = 0;
  const pid_t process_ = ::getpid();
  std::vector<std::thread> threads_;
};

}  // namespace movepages
