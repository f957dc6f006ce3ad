// The kernel's side of move_pages(2) in plain C++: do_pages_move() and do_pages_stat() of
// mm/migrate.c over pages that are a few numbers each. The model also records the fate of each
// entry. That is the truth that the driver must find out from statuses alone.
#pragma once

#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <set>
#include <vector>

#include "driver/migrate.hpp"

namespace model {

constexpr int kNodes = 4;
constexpr int kPinned = INT_MAX;
constexpr int kMove = 2;
constexpr int kMoveAll = 4;
constexpr std::size_t kPageBytes = 4096;
constexpr std::size_t kHugePagePages = 16;

struct Folio {
  std::int32_t node = 0;
  std::size_t first = 0;  // page
  std::size_t size = 1;   // pages
  int failures = 0;       // number of migrations that will still fail
  bool hugetlb = false;
  bool isolable = true;  // false: vdso, io_uring ring
  bool isolated = false;
  bool migrating = false;  // its pages read as absent meanwhile
  int moves = 0;           // number of times it migrated
  bool troubled = false;   // one of its migrations failed
};

struct Page {
  std::size_t folio = 0;
  std::int32_t error = 0;  // -ENOENT: absent, -EFAULT: no mapping
  bool shared = false;     // counted by piece, as until Linux 6.8
  bool hinting = false;    // under a NUMA hinting fault: reported as absent before Linux 6.6
  int hidings = 0;         // number of further hinting faults, each set before a moving call
};

// Differences between kernel versions.
struct Version {
  std::int32_t absent = -ENOENT;
  bool hugetlb_tail_refused = false;
  bool splits_when_full = true;
  bool hides_pages = false;
  bool tells_huge_pages = true;
};
constexpr Version k6_1 = {-EFAULT, true, false, true, false};
constexpr Version k6_12 = {};

enum class Fate {
  kUntried,  // or busy after a failed batch, perhaps because its folio was in it
  kQueued,
  kThere,     // already on the wanted node
  kRefused,   // a status with an errno
  kMoved,     // its batch succeeded
  kFailed,    // its batch failed for N > 0 folios
  kNoMemory,  // its batch failed with ENOMEM
  kHidden,    // its batch failed and the call returned another error
};

struct Entry {
  Fate fate = Fate::kUntried;
  std::int32_t refusal = 0;  // with kRefused
};

class Kernel {
 public:
  explicit Kernel(Version version = k6_12);
  ~Kernel();
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;

  // Adds a folio and returns the address of its first page.
  std::uintptr_t add(const Folio& folio);
  // The same for a huge page, which lies where the page tables can map it by one entry.
  std::uintptr_t add_huge(Folio folio);
  std::uintptr_t add_absent() { return add_error(version.absent); }
  std::uintptr_t add_error(std::int32_t error);
  Page& page(std::uintptr_t address) { return pages_[index_of(address)]; }
  Folio& folio(std::uintptr_t address) { return folios_[page(address).folio]; }
  // stat() is the answer of a query; truth() is where the page really is.
  std::int32_t stat(std::uintptr_t address) const;
  std::int32_t truth(std::uintptr_t address) const;
  void hide(std::uintptr_t address, int times);
  std::int32_t reveal(std::uintptr_t address, std::int32_t status);
  std::size_t pages() const { return pages_.size() + 1; }
  // Whether one entry maps the whole huge-page-aligned range around the page.
  bool is_huge(std::uintptr_t address) const;
  static std::uintptr_t piece(std::uintptr_t address, std::size_t k) {
    return address + kPageBytes * k;
  }

  // Sets the entries to record the fate of. A call is recognised by the address of its list.
  void watch(const std::vector<std::uintptr_t>& pages);
  static movepages::Kernel table();

  long move_pages(int pid, std::size_t count, const std::uintptr_t* pages,
                  const std::int32_t* nodes, std::int32_t* status, int flags);
  bool allowed_nodes(movepages::NodeMask& mask) const;

  Version version;
  long free[kNodes];
  long freed_per_call = 0;  // pages freed by others on every node before each moving call
  bool has_memory[kNodes] = {true, true, true, true};
  bool in_cpuset[kNodes] = {true, true, true, true};  // of the process that owns the pages
  bool nodes_known = true;
  bool privileged = true;
  long fails_from = LONG_MAX;  // calls from this one on, fails_for of them, return fails_with
  long fails_for = LONG_MAX;
  long fails_with = -ESRCH;
  long eintr_every = 0;
  long query_fails_from = LONG_MAX;       // the same, counting queries only
  std::vector<std::uintptr_t> vanishing;  // pages freed before the next query
  int pid = 0;                            // every call must name this pid
  std::int64_t clock_ns = 1;
  std::int64_t waited_ns = 0;      // the part of clock_ns for which the thread did not run
  std::int64_t call_ns = 155'000;  // fixed cost of a call that moves, which is all waiting
  std::int64_t noise_percent = 0;  // how far call_ns may vary
  std::int64_t page_ns = 1'000;
  std::int64_t kept_waiting_percent = 0;  // the part of page_ns for which other threads run
  std::int64_t query_ns = 1'000;
  std::uintptr_t slow_from = UINTPTR_MAX;  // pages from here on cost this much more
  std::int64_t slow_ns = 0;
  std::size_t huge_page_bytes = kHugePagePages * kPageBytes;  // as reported to the driver

  long calls = 0;
  long moving_calls = 0;
  long looked_at = 0;  // entries of all calls
  long call_limit = LONG_MAX;
  long error = 0;          // the last -errno of a call, except EINTR by eintr_every
  std::set<long> errors;   // all of them
  bool no_memory = false;  // a call returned ENOMEM
  bool lost = false;       // a call returned fails_with
  long retried = 0;        // entries tried more than once
  std::vector<Entry> entries;

  // Threads take turns at the model, and each migration lets others in before it begins.
  bool threaded = false;
  mutable std::mutex turn;

 private:
  struct Call;
  struct Batch;

  std::size_t index_of(std::uintptr_t address) const { return address / kPageBytes - 1; }
  long answer(std::size_t count, const std::uintptr_t* pages, const std::int32_t* nodes,
              std::int32_t* status, int flags);
  long do_pages_move(const Call& call);
  long refused_node(std::int32_t node) const;
  long queue(const Call& call, std::size_t i, Batch& batch);
  long flush(const Call& call, Batch& batch, std::size_t end);
  void let_others_in(const Batch& batch);
  long migrate(const Batch& batch);
  bool migrate_one(Folio& folio, std::int32_t node);
  void split(std::size_t folio, std::vector<std::size_t>& pieces);
  void set_fate(const Call& call, std::size_t i, Entry to);
  std::int64_t noise();

  std::vector<Folio> folios_;
  std::vector<Page> pages_;
  std::vector<std::size_t> hinting_;
  const std::uintptr_t* watched_ = nullptr;
  std::uint32_t random_ = 1;
};

}  // namespace model
