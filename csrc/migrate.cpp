#include "migrate.hpp"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <memory>
#include <new>

#include "hidden.hpp"
#include "syscalls.hpp"

namespace movepages {
namespace {

// A 32-bit process under a 64-bit kernel before 6.18 gets wrong statuses from index 16 on.
constexpr std::size_t kQueryChunk = sizeof(void*) == 4 ? 16 : std::size_t{1} << 16;
constexpr std::size_t kMoveChunk = std::size_t{1} << 16;
// The first chunk is small, because every entry may turn out to be a huge page: 256 of 2 MiB take
// about 50 ms. What it costs sizes the next.
constexpr std::size_t kFirstMoveChunk = 256;
constexpr std::int64_t kSliceNs = 25'000'000;
constexpr std::size_t kRecheck = 256;
constexpr int kRetriesAfterEintr = 16;
constexpr int kRetriesOfHidden = 3;

class Driver {
 public:
  Driver(const Request& request, const Pause& pause, const Kernel& kernel) noexcept
      : request_(request),
        pause_(pause),
        kernel_(kernel),
        hides_(request.pid == 0 && kernel.hides_pages != nullptr && kernel.hides_pages()) {}

  Outcome run() noexcept {
    std::fill_n(request_.status, request_.count, kNotAttempted);
    if (request_.flags & ~(kMpolMfMove | kMpolMfMoveAll)) {
      outcome_.error = -EINVAL;
      outcome_.rejected = true;
    } else if (request_.target != nullptr && !nodes_are_usable()) {
      return outcome_;
    } else if (request_.count == 0) {
      // Its checks of process and permission are wanted, not the 155 us of a call that moves.
      outcome_.error = query(nullptr, 0, nullptr);
    } else if (request_.target == nullptr) {
      query_all();
    } else if (prepare_nodes()) {
      move_all();
      // A later entry can have taken the folio of an earlier one along, to its target or away from
      // it. With one target and one call there is no such entry that was not looked at already.
      if (mixed_ || calls_ > 1) {
        recheck(0, done_, mixed_ ? Doubt::kEveryPage : Doubt::kMissing, kNotAttempted);
      }
    }
    return outcome_;
  }

 private:
  // Which statuses are asked for once more.
  enum class Doubt {
    kMissing,    // none yet, or a failure that another entry for the same folio may have mended
    kEveryPage,  // any: with several targets another entry can have spoilt a success too
  };

  std::int32_t wanted(std::size_t i) const noexcept {
    return request_.target->each ? request_.target->each[i] : request_.target->all;
  }

  long call(std::size_t count, const std::uintptr_t* pages, const std::int32_t* nodes,
            std::int32_t* status) noexcept {
    long ret = 0;
    for (int tries = 0; tries < kRetriesAfterEintr; ++tries) {
      ret = kernel_.move_pages(request_.pid, count, pages, nodes, status, request_.flags);
      if (ret != -EINTR) break;
    }
    return ret;
  }

  long query(const std::uintptr_t* pages, std::size_t count, std::int32_t* status) noexcept {
    const long ret = call(count, pages, nullptr, status);
    if (hides_ && ret == 0) {
      for (std::size_t i = 0; i < count; ++i) status[i] = hidden_.reveal(pages[i], status[i]);
    }
    return ret;
  }

  // Pause is asked once a slice and not once a chunk: it may have to wait for the interpreter.
  bool pause_wanted(std::int64_t now) noexcept {
    if (pause_.wanted == nullptr || now - last_pause_ns_ < kSliceNs) return false;
    last_pause_ns_ = now;
    outcome_.interrupted = pause_.wanted(pause_.context);
    return outcome_.interrupted;
  }

  void query_all() noexcept {
    const bool one_chunk = request_.count <= kQueryChunk;
    if (!one_chunk) last_pause_ns_ = kernel_.now_ns();
    for (std::size_t pos = 0; pos < request_.count; pos += kQueryChunk) {
      if (pos > 0 && pause_wanted(kernel_.now_ns())) return;
      const std::size_t count = std::min(kQueryChunk, request_.count - pos);
      outcome_.error = query(request_.pages + pos, count, request_.status + pos);
      if (outcome_.error != 0) return;
    }
  }

  // Refuses a bad node before anything has moved, where the kernel would stop half-way.
  bool nodes_are_usable() noexcept {
    NodeMask allowed;
    // Of another process's cpuset the kernel alone can tell.
    const bool known = request_.pid == 0 && kernel_.allowed_nodes(allowed);
    const std::size_t entries = request_.target->each ? request_.count : 1;
    const std::int32_t first = entries > 0 ? wanted(0) : 0;
    for (std::size_t i = 0; i < entries; ++i) {
      const std::int32_t node = wanted(i);
      if (node < 0 || node >= kMaxNodes || (known && !allowed.has(node))) {
        outcome_.error = -ENODEV;
        outcome_.rejected = true;
        outcome_.refused = i;
        return false;
      }
      mixed_ |= node != first;
    }
    return true;
  }

  // The kernel wants a node for each entry; one target for all is repeated for one chunk only.
  bool prepare_nodes() noexcept {
    if (request_.target->each) return true;
    const std::size_t count = std::min(kMoveChunk, request_.count);
    same_node_.reset(new (std::nothrow) std::int32_t[count]);
    if (!same_node_) {
      outcome_.error = -ENOMEM;
      outcome_.rejected = true;
      return false;
    }
    std::fill_n(same_node_.get(), count, request_.target->all);
    return true;
  }

  void move_all() noexcept {
    std::size_t chunk = kFirstMoveChunk;
    std::int64_t before = last_pause_ns_ = kernel_.now_ns();
    while (done_ < request_.count) {
      const std::size_t start = done_;
      const bool go_on = move_chunk(std::min(chunk, request_.count - start));
      const std::int64_t now = kernel_.now_ns();
      if (!go_on || done_ >= request_.count || pause_wanted(now)) return;
      chunk = next_chunk(done_ - start, std::max<std::int64_t>(now - before, 1));
      before = now;
    }
  }

  static std::size_t next_chunk(std::size_t moved, std::int64_t took_ns) noexcept {
    const double fits =
        static_cast<double>(moved) * static_cast<double>(kSliceNs) / static_cast<double>(took_ns);
    const auto most = static_cast<double>(std::min(moved * 4, kMoveChunk));
    return static_cast<std::size_t>(std::max(1.0, std::min(fits, most)));
  }

  // One call, and the truth about every page it went past. False: the call failed as a whole.
  bool move_chunk(std::size_t count) noexcept {
    const std::size_t start = done_;
    const std::size_t end = start + count;
    const std::int32_t* nodes =
        request_.target->each ? request_.target->each + start : same_node_.get();
    const long ret = call(count, request_.pages + start, nodes, request_.status + start);
    ++calls_;
    if (ret == 0) {
      done_ = end;
      return recheck(start, end, Doubt::kMissing, -EBUSY);
    }
    if (ret > 0 || ret == -ENOMEM) {
      // A full node is no reason to leave the pages for other nodes where they are.
      if (ret == -ENOMEM) outcome_.error = ret;
      done_ = end_of_failed_batch(start, end);
      // What ended a batch without memory may be busy only because its folio was in that batch.
      std::int32_t& last = request_.status[done_ - 1];
      if (ret == -ENOMEM && last == -EBUSY && done_ - 1 > start) {
        last = kNotAttempted;
        --done_;
      }
      return recheck(start, done_, Doubt::kMissing, ret > 0 ? -EBUSY : -ENOMEM);
    }
    outcome_.error = ret;
    // Some may have moved before the entry that stopped the call; of the others nothing is known.
    if (may_have_begun(ret)) {
      done_ = end;
      recheck(start, end, Doubt::kMissing, kNotAttempted);
    }
    return false;
  }

  static bool may_have_begun(long error) noexcept {
    return error != -EPERM && error != -ESRCH && error != -EINVAL && error != -ENOSYS &&
           error != -EINTR;
  }

  // The index from which the kernel has to be called again. A failed batch stays unwritten: it is
  // the first gap in the statuses. do_pages_move() writes the status of an entry it cannot queue
  // before it flushes the batch in front of it, so a written entry behind the gap was looked at;
  // without one the batch ran up to the first entry for another node.
  std::size_t end_of_failed_batch(std::size_t start, std::size_t end) const noexcept {
    const std::int32_t* status = request_.status;
    const std::int32_t* gap = std::find(status + start, status + end, kNotAttempted);
    const std::int32_t* written =
        std::find_if(gap, status + end, [](std::int32_t value) { return value != kNotAttempted; });
    if (written != status + end) return static_cast<std::size_t>(written - status) + 1;
    auto i = static_cast<std::size_t>(gap - status);
    if (i == end) return end;
    const std::int32_t node = wanted(i);
    while (i < end && wanted(i) == node) ++i;
    return i;
  }

  bool in_doubt(std::int32_t status) const noexcept {
    return status == kNotAttempted || status == -EBUSY || status == -EACCES || status == -ENOMEM ||
           (hides_ && looks_absent(status));
  }

  static bool looks_absent(std::int32_t status) noexcept {
    return status == -ENOENT || status == -EFAULT;
  }

  // Asks the kernel where pages in [begin, end) are now and writes what follows from the answer;
  // `fallback` is for those without a status which are not where they were wanted.
  bool recheck(std::size_t begin, std::size_t end, Doubt doubt, std::int32_t fallback) noexcept {
    std::size_t index[kRecheck];
    std::uintptr_t pages[kRecheck];
    std::int32_t now[kRecheck];
    for (std::size_t i = begin; i < end;) {
      std::size_t count = 0;
      for (; i < end && count < kRecheck; ++i) {
        if (doubt == Doubt::kMissing && !in_doubt(request_.status[i])) continue;
        index[count] = i;
        pages[count++] = request_.pages[i];
      }
      if (count == 0) break;
      long ret = query(pages, count, now);
      if (hides_ && ret == 0 && fallback != kNotAttempted) {
        ret = move_revealed(index, pages, now, count);
      }
      if (ret != 0) {
        outcome_.error = ret;
        forget(index[0], end, doubt);
        return false;
      }
      for (std::size_t k = 0; k < count; ++k) settle(index[k], now[k], fallback);
    }
    return true;
  }

  // What is in doubt and cannot be asked for any more is not known.
  void forget(std::size_t begin, std::size_t end, Doubt doubt) noexcept {
    for (std::size_t i = begin; i < end; ++i) {
      if (doubt == Doubt::kEveryPage || in_doubt(request_.status[i])) {
        request_.status[i] = kNotAttempted;
      }
    }
  }

  // Moves, among the pages just asked for, those that were hidden when their turn came and are not
  // any more. The kernel may hide a page again at any moment, so it gets a few turns.
  long move_revealed(const std::size_t* index, const std::uintptr_t* pages, std::int32_t* now,
                     std::size_t count) noexcept {
    for (int tries = 0; tries < kRetriesOfHidden; ++tries) {
      std::size_t which[kRecheck];
      std::uintptr_t again[kRecheck];
      std::int32_t nodes[kRecheck];
      std::int32_t status[kRecheck];
      std::size_t pending = 0;
      for (std::size_t k = 0; k < count; ++k) {
        const std::size_t i = index[k];
        if (!looks_absent(request_.status[i]) || now[k] < 0 || now[k] == wanted(i)) continue;
        which[pending] = k;
        again[pending] = pages[k];
        nodes[pending] = wanted(i);
        ++pending;
      }
      if (pending == 0) return 0;
      if (tries > 0) {
        const long ret = query(again, pending, status);
        if (ret != 0) return ret;
      }
      Kernel plain = kernel_;
      plain.hides_pages = nullptr;
      const Target target = {nodes, 0};
      const Request request = {request_.pid, pending, again, &target, status, request_.flags};
      const Outcome outcome = Driver(request, Pause(), plain).run();
      ++calls_;
      if (outcome.error == -ENOMEM) outcome_.error = outcome.error;
      const bool last = tries + 1 == kRetriesOfHidden;
      for (std::size_t k = 0; k < pending; ++k) {
        const std::size_t i = index[which[k]];
        if (status[k] == nodes[k]) {
          now[which[k]] = status[k];
        } else if (!looks_absent(status[k]) || last) {
          // Seen, and still not moved, it is a page like any other; hidden each time, it is busy.
          request_.status[i] = looks_absent(status[k]) ? -EBUSY : status[k];
        }
      }
      if (outcome.error != 0 && outcome.error != -ENOMEM) return outcome.error;
    }
    return 0;
  }

  void settle(std::size_t i, std::int32_t now, std::int32_t fallback) noexcept {
    std::int32_t& status = request_.status[i];
    if (now == wanted(i)) {
      status = now;
    } else if (status == kNotAttempted && fallback == kNotAttempted) {
      return;
    } else if (now < 0) {
      status = now;
    } else if (status == kNotAttempted) {
      status = fallback;
    } else if (status >= 0) {
      status = -EBUSY;
    }
  }

  const Request& request_;
  const Pause& pause_;
  const Kernel& kernel_;
  const bool hides_;
  HiddenPages hidden_;
  Outcome outcome_;
  std::unique_ptr<std::int32_t[]> same_node_;
  std::size_t done_ = 0;
  std::size_t calls_ = 0;
  std::int64_t last_pause_ns_ = 0;
  bool mixed_ = false;
};

bool allowed_nodes(NodeMask& mask) noexcept {
  // The kernel counts one bit less than it is told (sanitize_mpol_flags, copy_nodes_to_user).
  return sys_get_mempolicy(nullptr, mask.words, kMaxNodes + 1, 0, kMpolFMemsAllowed) == 0;
}

std::int64_t now_ns() noexcept {
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{1'000'000'000} * now.tv_sec + now.tv_nsec;
}

}  // namespace

const Kernel kRealKernel = {sys_move_pages, allowed_nodes, now_ns, kernel_hides_pages};

Outcome move_pages(const Request& request, const Pause& pause, const Kernel& kernel) noexcept {
  return Driver(request, pause, kernel).run();
}

}  // namespace movepages
