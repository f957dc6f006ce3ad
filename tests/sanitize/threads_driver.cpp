// Threads that query and move the same pages at once, each with a status buffer of its own. The
// driver runs on the real kernel, and its threads share no memory that it writes.
//
// With the argument `shared`, the threads share one status buffer. That is the caller's mistake,
// and a working sanitizer reports it.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "driver/migrate.hpp"
#include "kernel/syscalls.hpp"
#include "survey/survey.hpp"

namespace {

constexpr std::size_t kThreads = 8;
constexpr std::size_t kPages = 2048;
constexpr int kRounds = 30;
// One page in this many is left untouched, so that statuses must be queried again.
constexpr std::size_t kHole = 97;

struct Memory {
  std::size_t page_size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  unsigned char* start = static_cast<unsigned char*>(::mmap(
      nullptr, kPages* page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

  Memory() {
    if (start == MAP_FAILED) {
      std::perror("mmap");
      std::exit(2);
    }
    ::madvise(start, kPages * page_size, MADV_NOHUGEPAGE);
    for (std::size_t i = 0; i < kPages; ++i) {
      if (!is_hole(i)) *at(i) = static_cast<unsigned char>(i % 251);
    }
  }

  static bool is_hole(std::size_t i) { return i % kHole == kHole - 1; }
  unsigned char* at(std::size_t i) const { return start + i * page_size; }
  bool intact() const {
    for (std::size_t i = 0; i < kPages; ++i) {
      if (!is_hole(i) && *at(i) != i % 251) return false;
    }
    return true;
  }
};

std::vector<std::int32_t> usable_nodes() {
  movepages::NodeMask mask;
  std::vector<std::int32_t> nodes;
  if (!movepages::real_kernel().allowed_nodes(mask)) return {0};
  for (std::int32_t node = 0; node < movepages::kMaxNodes; ++node) {
    if (mask.has(node)) nodes.push_back(node);
  }
  return nodes;
}

struct Shared {
  const std::vector<std::uintptr_t>& pages;
  const std::vector<std::int32_t>& nodes;   // the usable nodes
  const std::vector<std::int32_t>& wanted;  // a node for each page
  std::atomic<int> failed{0};
  std::atomic<long> pauses{0};
};

bool keep_on(void* context) noexcept {
  static_cast<Shared*>(context)->pauses.fetch_add(1, std::memory_order_relaxed);
  return false;
}

bool may_be(std::int32_t status, const std::vector<std::int32_t>& nodes) {
  // Any errno is valid: a page that another thread is moving can get several.
  return status < 0 ? status > -4096 || status == movepages::kNotAttempted
                    : std::find(nodes.begin(), nodes.end(), status) != nodes.end();
}

// In turn, queries pages, moves all to one node, and moves each to its own node. The ranges overlap
// those of the other threads.
void work(std::size_t thread, std::int32_t* status, Shared& shared) {
  for (int round = 0; round < kRounds; ++round) {
    const std::size_t begin = (thread * 131 + static_cast<std::size_t>(round) * 17) % (kPages / 2);
    movepages::Target target;
    target.all = shared.nodes[(thread + static_cast<std::size_t>(round)) % shared.nodes.size()];
    if (round % 3 == 2) target.each = shared.wanted.data() + begin;
    movepages::Request request;
    request.count = kPages / 2;
    request.pages = shared.pages.data() + begin;
    request.target = round % 3 == 0 ? nullptr : &target;
    request.status = status;
    request.flags = movepages::kMpolMfMove;
    const movepages::Outcome outcome =
        movepages::move_pages(request, {keep_on, &shared}, movepages::real_kernel());
    const bool good = outcome.error == 0 && !outcome.interrupted &&
                      std::all_of(status, status + request.count,
                                  [&](std::int32_t each) { return may_be(each, shared.nodes); });
    if (!good) {
      std::printf("thread %zu, round %d: error %ld\n", thread, round, outcome.error);
      shared.failed.fetch_add(1);
    }
  }
}

// Runs a survey that is large enough to start threads of its own, and checks that it finds every
// page.
bool survey_by_threads(const Memory& memory, Shared& shared) {
  constexpr std::size_t kSparse = std::size_t{1} << 21;
  void* sparse = ::mmap(nullptr, kSparse * memory.page_size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (sparse == MAP_FAILED) return false;
  const movepages::PageRange ranges[] = {{reinterpret_cast<std::uintptr_t>(memory.start), kPages},
                                         {reinterpret_cast<std::uintptr_t>(sparse), kSparse}};
  // With page tables, and with a query of each page, which takes long enough to start threads.
  for (const bool page_tables : {true, false}) {
    movepages::Kernel kernel = movepages::real_kernel();
    if (!page_tables) kernel.huge_until = nullptr;
    movepages::SurveyRequest request;
    request.ranges = ranges;
    request.count = 2;
    request.threads = kThreads;
    std::vector<movepages::SurveyRun> runs;
    const movepages::Outcome outcome =
        movepages::survey(request, {keep_on, &shared}, kernel, &runs);
    std::size_t pages = 0;
    std::size_t present = 0;
    for (const movepages::SurveyRun& run : runs) {
      pages += run.pages;
      if (run.status >= 0) present += run.pages;
    }
    if (outcome.error != 0 || pages != kPages + kSparse || present != kPages - kPages / kHole) {
      std::printf("survey: error %ld, %zu pages, %zu present\n", outcome.error, pages, present);
      return false;
    }
  }
  ::munmap(sparse, kSparse * memory.page_size);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const bool one_buffer = argc > 1 && std::string(argv[1]) == "shared";
  const Memory memory;
  const std::vector<std::int32_t> nodes = usable_nodes();
  std::vector<std::uintptr_t> pages;
  std::vector<std::int32_t> wanted;
  for (std::size_t i = 0; i < kPages; ++i) {
    pages.push_back(reinterpret_cast<std::uintptr_t>(memory.at(i)));
    wanted.push_back(nodes[i / 64 % nodes.size()]);
  }
  Shared shared{pages, nodes, wanted};
  // The buffers are adjacent in one array, so that a status written too far belongs to another
  // thread.
  std::vector<std::int32_t> status(kThreads * (kPages / 2));
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < kThreads; ++i) {
    std::int32_t* own = status.data() + (one_buffer ? 0 : i * (kPages / 2));
    threads.emplace_back(work, i, own, std::ref(shared));
  }
  for (std::thread& thread : threads) thread.join();
  if (!survey_by_threads(memory, shared)) shared.failed.fetch_add(1);
  if (shared.failed != 0 || !memory.intact()) {
    std::printf("%d calls failed, memory %s\n", shared.failed.load(),
                memory.intact() ? "intact" : "changed");
    return 1;
  }
  std::printf("ok %zu threads, %d calls each, %zu node(s)\n", kThreads, kRounds, nodes.size());
  return 0;
}
