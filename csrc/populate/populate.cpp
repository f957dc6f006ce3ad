#include "populate/populate.hpp"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <new>
#include <optional>
#include <system_error>
#include <thread>

#include "driver/pace.hpp"
#include "kernel/policy.hpp"
#include "populate/room.hpp"

namespace movepages {
namespace {

// Populating this much takes a few milliseconds, a hundred times as long as asking for the room.
constexpr std::size_t kPartBytes = std::size_t{16} << 20;
// Up to this much, a fault for each page costs less than a system call for the range.
constexpr std::size_t kShortBytes = std::size_t{1} << 15;
constexpr int kMadvPopulateWrite = 23;

// Binds the calling thread to a node. The destructor puts its own policy back.
class BoundThread {
 public:
  explicit BoundThread(std::int32_t node) noexcept : error_(thread_policy(&before_)) {
    ThreadPolicy bound;
    bound.mode = kMpolBind;
    bound.nodes = only(node);
    if (error_ == 0) error_ = set_thread_policy(bound);
  }
  ~BoundThread() {
    if (error_ == 0) set_thread_policy(before_);
  }
  BoundThread(const BoundThread&) = delete;
  BoundThread& operator=(const BoundThread&) = delete;

  long error() const noexcept { return error_; }

 private:
  ThreadPolicy before_;
  long error_;
};

// Writes to every page and changes nothing.
void touch(const ByteRange& range) noexcept {
  for (std::size_t offset = 0; offset < range.bytes; offset += page_bytes()) {
    __atomic_fetch_or(reinterpret_cast<unsigned char*>(range.start + offset),
                      static_cast<unsigned char>(0), __ATOMIC_RELAXED);
  }
}

void run_on(const std::vector<int>& cpus) noexcept {
  if (cpus.empty()) return;
  const int most = *std::max_element(cpus.begin(), cpus.end()) + 1;
  cpu_set_t* set = CPU_ALLOC(most);
  if (set == nullptr) return;
  const std::size_t bytes = CPU_ALLOC_SIZE(most);
  CPU_ZERO_S(bytes, set);
  for (const int cpu : cpus) CPU_SET_S(cpu, bytes, set);
  // Without these CPUs the thread is slower, and no page is elsewhere.
  ::sched_setaffinity(0, bytes, set);
  CPU_FREE(set);
}

// Hands out the ranges of a share in parts, to any thread.
class Parts {
 public:
  explicit Parts(const NodeShare& share) : share_(share) {
    for (const ByteRange& range : share.ranges) left_ += range.bytes;
  }

  // The bytes that no thread has finished yet.
  std::size_t left() const noexcept { return left_; }
  void finished(std::size_t bytes) noexcept { left_ -= bytes; }
  std::mutex& alone() noexcept { return alone_; }

  // Returns the bytes of the next part; 0 if there is none. Parts end at multiples of their size,
  // so that none cuts through a huge page.
  std::size_t take(std::vector<ByteRange>* part) {
    part->clear();
    std::size_t taken = 0;
    const std::lock_guard lock(mutex_);
    while (taken < kPartBytes && range_ < share_.ranges.size()) {
      const ByteRange& range = share_.ranges[range_];
      const std::uintptr_t start = range.start + offset_;
      const std::size_t bytes = std::min(range.bytes - offset_, kPartBytes - start % kPartBytes);
      part->push_back({start, bytes});
      taken += bytes;
      offset_ += bytes;
      if (offset_ < range.bytes) continue;
      offset_ = 0;
      ++range_;
    }
    return taken;
  }

 private:
  const NodeShare& share_;
  std::mutex alone_;
  std::mutex mutex_;
  std::size_t range_ = 0;
  std::size_t offset_ = 0;
  std::atomic<std::size_t> left_{0};
};

class Populator {
 public:
  Populator(const std::vector<NodeShare>& shares, const ByteRange& fresh, const Pause& pause)
      : shares_(shares), fresh_(fresh), pause_(pause) {
    for (const NodeShare& share : shares) parts_.emplace_back(share);
  }

  Populated run() {
    std::vector<std::thread> threads;
    std::vector<std::size_t> own;
    try {
      for (std::size_t share = 0; share < shares_.size(); ++share) {
        if (!start_threads(share, &threads)) own.push_back(share);
      }
      for (const std::size_t share : own) work(share, true);
      wait();
    } catch (const std::bad_alloc&) {
      fail(-ENOMEM, 0, false);
    }
    for (std::thread& thread : threads) thread.join();
    return found_;
  }

 private:
  // False if the calling thread has to do the work of this share.
  bool start_threads(std::size_t share, std::vector<std::thread>* threads) {
    const std::size_t most = parts_[share].left() / kPartBytes + 1;
    const auto wanted = std::min<std::size_t>(shares_[share].threads, most);
    for (std::size_t started = 0; started < wanted; ++started) {
      threads->reserve(threads->size() + 1);
      {
        const std::lock_guard lock(mutex_);
        ++running_;
      }
      try {
        threads->emplace_back([this, share] {
          run_on(shares_[share].cpus);
          work(share, false);
          const std::lock_guard lock(mutex_);
          --running_;
          ended_.notify_one();
        });
      } catch (const std::system_error&) {
        const std::lock_guard lock(mutex_);
        --running_;
        return started > 0;
      }
    }
    return wanted > 0;
  }

  void wait() {
    std::unique_lock lock(mutex_);
    while (running_ > 0) {
      ended_.wait_for(lock, std::chrono::nanoseconds(kSliceNs));
      if (stop_ || running_ == 0) continue;
      lock.unlock();
      check_signals();
      lock.lock();
    }
  }

  void check_signals() noexcept {
    if (found_.interrupted || pause_.wanted == nullptr || !pause_.wanted(pause_.context)) return;
    found_.interrupted = true;
    stop_ = true;
  }

  void work(std::size_t share, bool watches) noexcept {
    try {
      std::optional<BoundThread> bound;
      const std::int32_t node = shares_[share].node;
      if (node >= 0) bound.emplace(node);
      if (bound && bound->error() != 0) return fail(bound->error(), share, false);
      work_bound(share, watches);
    } catch (const std::bad_alloc&) {
      fail(-ENOMEM, share, false);
    }
  }

  void work_bound(std::size_t share, bool watches) {
    std::vector<ByteRange> part;
    while (!stop_) {
      const std::size_t bytes = parts_[share].take(&part);
      if (bytes == 0) return;
      std::unique_lock<std::mutex> alone;
      if (!has_room(share, bytes)) {
        // Where room is short, one thread at a time asks for its own part alone.
        alone = std::unique_lock(parts_[share].alone());
        if (!has_room_for(share, bytes)) return fail(-ENOMEM, share, true);
      }
      for (const ByteRange& range : part) {
        const long ret = populate_range(range);
        if (ret != 0) return fail(ret, share, false);
      }
      parts_[share].finished(bytes);
      if (watches) check_signals();
    }
  }

  // Whether the node has room for what all threads of a share allocate next.
  bool has_room(std::size_t share, std::size_t bytes) const {
    const std::size_t all = kPartBytes * std::max(shares_[share].threads, 1U);
    return has_room_for(share, std::max(std::min(parts_[share].left(), all), bytes));
  }

  bool has_room_for(std::size_t share, std::size_t bytes) const {
    const NodeShare& its = shares_[share];
    if (its.node < 0) return true;
    const std::int64_t needed = static_cast<std::int64_t>(bytes) + its.reserve;
    const std::int64_t room = room_of(its.node);
    return room < 0 || room >= needed || room + on_lists_of(its.node) >= needed;
  }

  long populate_range(const ByteRange& range) const noexcept {
    const std::size_t ahead = range.start - fresh_.start;
    const bool inside = ahead < fresh_.bytes && range.bytes <= fresh_.bytes - ahead;
    if (inside && range.bytes <= kShortBytes) {
      touch(range);
      return 0;
    }
    long ret = 0;
    do {
      ret = advise(range.start, range.bytes, kMadvPopulateWrite);
    } while (ret == -EINTR && !stop_);
    return stop_ ? 0 : ret;
  }

  void fail(long error, std::size_t share, bool full) noexcept {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    if (found_.error != 0) return;
    found_.error = error;
    found_.share = share;
    found_.full = full;
  }

  const std::vector<NodeShare>& shares_;
  const ByteRange fresh_;
  const Pause& pause_;
  std::deque<Parts> parts_;  // its elements never move
  std::mutex mutex_;
  std::condition_variable ended_;
  std::size_t running_ = 0;
  std::atomic<bool> stop_{false};
  Populated found_;
};

}  // namespace

Populated populate(const std::vector<NodeShare>& shares, const ByteRange& fresh,
                   const Pause& pause) {
  return Populator(shares, fresh, pause).run();
}

}  // namespace movepages
