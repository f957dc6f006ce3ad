#include "survey/survey.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <memory>
#include <new>
#include <optional>
#include <utility>

#include "driver/pace.hpp"
#include "driver/workers.hpp"
#include "survey/surveyor.hpp"

namespace movepages {
namespace {

// Querying this many pages of 4 KiB takes 1-9 ms. Huge or absent pages take a thousandth of that,
// so the pieces become larger when they turn out to be quick.
constexpr std::size_t kPiecePages = std::size_t{1} << 15;
constexpr std::size_t kLargePiecePages = std::size_t{1} << 20;
constexpr std::int64_t kQuickPieceNs = 100'000;
// On a slow or busy machine, no piece is quick. A large piece with fewer small pages than this
// still takes less time than a small piece that is full of them.
constexpr std::size_t kFewSmallPages = kPiecePages / (kLargePiecePages / kPiecePages);
// Pieces in one round. Their runs are kept separately until the whole round is done.
constexpr std::size_t kPiecesAtOnce = 256;
// Starting and ending a thread takes about 50 us, and more if its processor must wake up.
constexpr std::int64_t kWorthThreadsNs = 2'000'000;

struct Piece {
  PageRange whole;
  PageRange rest;
  std::vector<SurveyRun> runs;
  std::size_t small_pages = 0;
};

class Survey {
 public:
  Survey(const SurveyRequest& request, const Pause& pause, const Kernel& kernel,
         std::vector<SurveyRun>* runs)
      : request_(request), pause_(pause), kernel_(kernel), runs_(runs) {}

  Outcome run() {
    last_pause_ns_ = kernel_.now_ns();
    own_.emplace(request_, kernel_, blocks_.get());
    // The first round has one piece, which shows the pace.
    for (std::size_t most = 1; take_pieces(most); most = kPiecesAtOnce) {
      const std::int64_t before = kernel_.now_ns();
      next_ = 0;
      while (!work_with_others()) begin_anew();
      for (Piece& piece : pieces_) give(piece);
      const auto pieces = static_cast<std::int64_t>(pieces_.size());
      const bool quick = (kernel_.now_ns() - before) / pieces < kQuickPieceNs ||
                         small_pages_of_a_piece() < kFewSmallPages;
      piece_pages_ = quick ? kLargePiecePages : kPiecePages;
    }
    outcome_.error = error_;
    // A query fails with ENOMEM only if this process itself is out of memory.
    outcome_.rejected = outcome_.error == -ENOMEM;
    return outcome_;
  }

 private:
  // Cuts the rest of the ranges into pieces, at huge-page boundaries. False when nothing is left.
  bool take_pieces(std::size_t most) {
    pieces_.clear();
    const std::size_t huge_page = kernel_.huge_page_bytes / kernel_.page_bytes;
    while (pieces_.size() < most && range_ < request_.count) {
      const PageRange& range = request_.ranges[range_];
      const std::uintptr_t start = range.start + offset_ * kernel_.page_bytes;
      const std::size_t ahead = start / kernel_.page_bytes % huge_page;
      // After a stop, nothing more is queried, so the rest of a range becomes one piece.
      const std::size_t most_pages =
          stop_ ? range.pages : std::max(piece_pages_, huge_page) - ahead;
      const std::size_t pages = std::min(range.pages - offset_, most_pages);
      pieces_.push_back({{start, pages}, {start, pages}, {}, 0});
      offset_ += pages;
      if (offset_ < range.pages) continue;
      offset_ = 0;
      ++range_;
    }
    return !pieces_.empty();
  }

  // Returns false in a child that Pause has forked meanwhile.
  bool work_with_others() {
    Workers others;
    try {
      work_and_watch(&others);
    } catch (const std::bad_alloc&) {
      fail(-ENOMEM);
    }
    return others.wait([this] { watch(); });
  }

  // The child has none of the threads that worked on pieces, and one of them may have been reading
  // the memory blocks. So the child reads these again, and does all of this round.
  void begin_anew() {
    process_ = ::getpid();
    static_cast<void>(blocks_.release());
    blocks_ = std::make_unique<BlocksOnDemand>();
    own_.emplace(request_, kernel_, blocks_.get());
    // The runs may be half written, so they cannot be freed.
    const auto& left = *new std::vector<Piece>(std::move(pieces_));
    pieces_.clear();
    for (const Piece& piece : left) pieces_.push_back({piece.whole, piece.whole, {}, 0});
    next_ = 0;
  }

  void work_and_watch(Workers* others) {
    const std::int64_t before = kernel_.now_ns();
    bool alone = true;
    while (work_on_one(*own_, true)) {
      const std::size_t done = std::min<std::size_t>(next_, pieces_.size());
      const std::size_t left = pieces_.size() - done;
      const auto to_come = (kernel_.now_ns() - before) / static_cast<std::int64_t>(done + 1) *
                           static_cast<std::int64_t>(left);
      if (!alone || to_come <= kWorthThreadsNs) continue;
      alone = false;
      start_others(left, others);
    }
  }

  // Returns false in a child that Pause has forked.
  bool watch() {
    const std::int64_t now = kernel_.now_ns();
    if (outcome_.interrupted || now - last_pause_ns_ < kSliceNs) return true;
    last_pause_ns_ = now;
    outcome_.interrupted = pause_.wanted != nullptr && pause_.wanted(pause_.context);
    if (outcome_.interrupted) stop_ = true;
    return ::getpid() == process_;
  }

  // If no more threads are available, the existing ones do the work.
  void start_others(std::size_t left, Workers* others) {
    const std::size_t wanted = std::min<std::size_t>(request_.threads, left + 1);
    std::size_t count = 1;
    while (count < wanted && others->start([this] { work(); })) ++count;
  }

  void work() noexcept {
    try {
      Surveyor mine(request_, kernel_, blocks_.get());
      while (work_on_one(mine, false)) {
      }
    } catch (const std::bad_alloc&) {
      fail(-ENOMEM);
    }
  }

  // False when nothing is left to do. The thread that `watches` checks for signals in between.
  bool work_on_one(Surveyor& surveyor, bool watches) {
    if (stop_) return false;
    const std::size_t index = next_++;
    if (index >= pieces_.size()) return false;
    Piece& piece = pieces_[index];
    const std::size_t before = surveyor.small_pages();
    long ret = 0;
    while (piece.rest.pages > 0 && ret == 0 && !stop_) {
      ret = surveyor.look(&piece.rest, &piece.runs);
      if (watches && !watch()) return false;
    }
    piece.small_pages = surveyor.small_pages() - before;
    if (ret != 0) fail(ret);
    return ret == 0;
  }

  std::size_t small_pages_of_a_piece() const noexcept {
    std::size_t all = 0;
    for (const Piece& piece : pieces_) all += piece.small_pages;
    return all / pieces_.size();
  }

  void fail(long error) noexcept {
    long none = 0;
    error_.compare_exchange_strong(none, error);
    stop_ = true;
  }

  void give(Piece& piece) {
    if (piece.rest.pages > 0) {
      piece.runs.push_back({piece.rest.start, piece.rest.pages, kNotAttempted, Presence::kPage});
    }
    for (const SurveyRun& run : piece.runs) append(runs_, run);
  }

  const SurveyRequest& request_;
  const Pause& pause_;
  const Kernel& kernel_;
  std::vector<SurveyRun>* const runs_;
  Outcome outcome_;
  std::int64_t last_pause_ns_ = 0;
  pid_t process_ = ::getpid();
  std::unique_ptr<BlocksOnDemand> blocks_ = std::make_unique<BlocksOnDemand>();
  std::optional<Surveyor> own_;  // of the calling thread
  std::size_t piece_pages_ = kPiecePages;
  std::size_t range_ = 0;
  std::size_t offset_ = 0;  // pages of that range that are in pieces already
  std::vector<Piece> pieces_;
  std::atomic<std::size_t> next_{0};
  std::atomic<bool> stop_{false};
  std::atomic<long> error_{0};
};

}  // namespace

Outcome survey(const SurveyRequest& request, const Pause& pause, const Kernel& kernel,
               std::vector<SurveyRun>* runs) noexcept {
  try {
    return Survey(request, pause, kernel, runs).run();
  } catch (const std::bad_alloc&) {
    Outcome outcome;
    outcome.error = -ENOMEM;
    outcome.rejected = true;
    return outcome;
  }
}

}  // namespace movepages
