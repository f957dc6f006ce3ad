#include <algorithm>
#include <atomic>
#include <deque>
#include <memory>
#include <new>
#include <thread>
#include <vector>

#include "driver/driver.hpp"
#include "driver/workers.hpp"

namespace movepages {
namespace {

// Ends the work of all threads when Pause ends that of the calling thread, or when one has failed.
struct Stop {
  const Pause& pause;
  std::atomic<bool> now{false};
  bool interrupted = false;
  const std::thread::id caller = std::this_thread::get_id();

  // Only the calling thread may call Pause.
  bool wanted() noexcept {
    const bool asks = pause.wanted != nullptr && std::this_thread::get_id() == caller;
    if (asks && !now && pause.wanted(pause.context)) interrupted = now = true;
    return now;
  }
};

bool is_wanted(void* stop) noexcept { return static_cast<Stop*>(stop)->wanted(); }

// Runs `work` on each part in a thread of its own; the calling thread takes the first part, and
// those for which there is no thread. Returns false in a child that Pause has forked meanwhile.
template <typename Parts, typename Work>
bool in_threads(Parts& parts, Stop& stop, Work work) noexcept {
  Workers workers;
  std::size_t begun = 1;
  try {
    while (begun < parts.size() && workers.start([&parts, begun, work] { work(parts[begun]); })) {
      ++begun;
    }
  } catch (const std::bad_alloc&) {
  }
  work(parts[0]);
  for (; begun < parts.size(); ++begun) {
    // Each of these parts may be shorter than a time slice.
    stop.wanted();
    work(parts[begun]);
  }
  return workers.wait([&stop] { stop.wanted(); });
}

}  // namespace

// A contiguous part of a list, which one thread moves with a driver of its own.
struct Driver::Part {
  Part(const Request& whole, std::size_t from, std::size_t to, const std::int32_t* nodes,
       const Pause& pause, const Kernel& kernel) noexcept
      : begin(from),
        target{nodes},
        pace(whole.pace != nullptr ? *whole.pace : Pace()),
        request{whole.pid,   to - from, whole.pages + from, &target, whole.status + from,
                whole.flags, &pace,     whole.untold},
        driver(request, pause, kernel) {}

  void move() noexcept {
    driver.move_all();
    if (request.untold) return;
    std::fill(request.status + driver.told_, request.status + request.count, kNotAttempted);
  }

  std::size_t begin;
  Target target;
  Pace pace;
  Request request;
  Driver driver;
};

// Moves a part of the list in each thread. Returns false, with nothing done, if one thread has to
// move all of it.
bool Driver::move_by_threads() noexcept {
  if (kernel_.moves_alone) return false;
  Stop stop = {pause_};
  std::deque<Part> parts;
  try {
    if (!divide(&parts, {is_wanted, &stop})) return false;
  } catch (const std::bad_alloc&) {
    return false;
  }
  const bool all = in_threads(parts, stop, [&stop](Part& part) {
    part.move();
    const long error = part.driver.outcome_.error;
    if (error != 0 && error != -ENOMEM) stop.now = true;
  });
  if (!all) return end_in_child(stop.interrupted);
  // A folio may have entries in several parts. While one thread has it in hand, another one sees it
  // as busy or absent.
  const Doubt doubt = mixed_ ? Doubt::kEveryPage : Doubt::kFailures;
  const auto look_again = [doubt](Part& part) {
    part.driver.recheck(0, part.driver.done_, doubt, kNotAttempted);
  };
  if (!in_threads(parts, stop, look_again)) std::for_each(parts.begin(), parts.end(), look_again);
  for (const Part& part : parts) take(part);
  if (request_.pace != nullptr) *request_.pace = parts[0].pace;
  outcome_.interrupted = stop.interrupted;
  return true;
}

// A child does not know what the threads of its parent did before the fork. Returns false if it has
// to move the list by itself.
bool Driver::end_in_child(bool interrupted) noexcept {
  outcome_.interrupted = interrupted;
  std::fill(request_.status, request_.status + request_.count, kNotAttempted);
  return interrupted;
}

// Divides the list into parts of about the same length, at borders of huge pages. Returns false if
// that makes a single part. Throws std::bad_alloc.
bool Driver::divide(std::deque<Part>* parts, const Pause& pause) {
  const std::size_t length = (request_.count + request_.threads - 1) / request_.threads;
  std::size_t longest = 0;
  std::vector<std::size_t> borders = {0};
  while (borders.back() < request_.count) {
    borders.push_back(border_from(std::min(borders.back() + length, request_.count)));
    longest = std::max(longest, borders.back() - *(borders.end() - 2));
  }
  if (borders.size() < 3) return false;
  if (request_.target->each == nullptr) {
    same_node_.reset(new std::int32_t[longest]);
    std::fill_n(same_node_.get(), longest, request_.target->all);
  }
  for (std::size_t k = 0; k + 1 < borders.size(); ++k) {
    const std::int32_t* each = request_.target->each;
    parts->emplace_back(request_, borders[k], borders[k + 1],
                        each != nullptr ? each + borders[k] : same_node_.get(), pause, kernel_);
  }
  return true;
}

// Returns the first index from `i` on whose entry shares no huge page with the entry before it.
std::size_t Driver::border_from(std::size_t i) const noexcept {
  const std::size_t bytes = kernel_.huge_page_bytes;
  if (bytes == 0) return i;
  const std::uintptr_t* pages = request_.pages;
  while (i < request_.count && pages[i] / bytes == pages[i - 1] / bytes) ++i;
  return i;
}

// Adds what became of a part.
void Driver::take(const Part& part) noexcept {
  const Driver& its = part.driver;
  calls_ += its.calls_;
  if (its.told_ > 0) told_ = std::max(told_, part.begin + its.told_);
  // A full node ends no call, so any other error counts for more.
  const long error = its.outcome_.error;
  if (error != 0 && (outcome_.error == 0 || outcome_.error == -ENOMEM)) outcome_.error = error;
}

}  // namespace movepages
