// Surveys that take nodes from page frame numbers, on the real kernel. Queries are counted, or
// answered with other nodes than the numbers show. Exits with 77 if this process cannot read the
// numbers.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <vector>

#include "../check.hpp"
#include "kernel/syscalls.hpp"
#include "survey/survey.hpp"

namespace {

using movepages::Kernel;
using movepages::Presence;
using movepages::SurveyRun;

constexpr std::size_t kPages = 20'000;

std::atomic<std::size_t> asked{0};
std::atomic<std::int32_t> lie{0};
std::atomic<std::size_t> honest{0};  // number of queries answered truly before the lie

long counted_move_pages(int pid, std::size_t count, const std::uintptr_t* pages,
                        const std::int32_t* nodes, std::int32_t* status, int flags) noexcept {
  const long ret = movepages::sys_move_pages(pid, count, pages, nodes, status, flags);
  for (std::size_t i = 0; i < count; ++i) {
    if (++asked > honest && status[i] >= 0) status[i] += lie;
  }
  return ret;
}

struct Memory {
  const std::size_t page = movepages::page_bytes();
  unsigned char* const start = static_cast<unsigned char*>(
      ::mmap(nullptr, kPages* page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  Memory() {
    CHECK(start != MAP_FAILED);
    ::madvise(start, kPages * page, MADV_NOHUGEPAGE);
  }
  ~Memory() { ::munmap(start, kPages * page); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  void write(std::size_t first, std::size_t end) const {
    for (std::size_t i = first; i < end; ++i) start[i * page] = 1;
  }
};

std::vector<SurveyRun> survey(const Memory& memory, std::size_t by_number, unsigned threads) {
  Kernel kernel = movepages::real_kernel();
  kernel.move_pages = counted_move_pages;
  const movepages::PageRange range = {reinterpret_cast<std::uintptr_t>(memory.start), kPages};
  movepages::SurveyRequest request;
  request.flags = movepages::kMpolMfMove;
  request.ranges = &range;
  request.count = 1;
  request.threads = threads;
  request.fewest = 1;
  request.by_number = by_number;
  std::vector<SurveyRun> runs;
  asked = 0;
  const movepages::Outcome outcome = movepages::survey(request, {}, kernel, &runs);
  CHECK(outcome.error == 0 && !outcome.interrupted);
  return runs;
}

// Returns one status for each page. Pages that were not queried get one status per kind.
std::vector<std::int32_t> each(const std::vector<SurveyRun>& runs) {
  std::vector<std::int32_t> statuses;
  for (const SurveyRun& run : runs) {
    const bool open = run.status == movepages::kNotAttempted;
    const std::int32_t status = open ? -1000 - static_cast<std::int32_t>(run.what) : run.status;
    statuses.insert(statuses.end(), run.pages, status);
  }
  CHECK(statuses.size() == kPages);
  return statuses;
}

void few_questions_and_the_same_answers() {
  const Memory memory;
  memory.write(0, kPages);
  for (const unsigned threads : {1U, 3U}) {
    const auto expected = each(survey(memory, 0, threads));
    CHECK(asked == kPages);
    CHECK(each(survey(memory, 1, threads)) == expected);
    CHECK(asked >= kPages / 600 && asked <= kPages / 400);
  }
}

void what_the_kernel_says_counts() {
  const Memory memory;
  memory.write(0, kPages);
  auto expected = each(survey(memory, 0, 1));
  lie = 7;
  for (auto& status : expected) status += 7;
  CHECK(each(survey(memory, 1, 1)) == expected);
  lie = 0;
}

void a_lie_found_late_is_a_lie_from_there_on() {
  const Memory memory;
  memory.write(0, kPages);
  const auto before = each(survey(memory, 0, 1));
  lie = 7;
  honest = 20;
  const auto found = each(survey(memory, 1, 1));
  CHECK(found.front() == before.front());
  CHECK(found.back() == before.back() + 7);
  CHECK(asked > kPages / 4);
  lie = 0;
  honest = 0;
}

void pages_without_a_number_to_go_by_are_asked_for() {
  const Memory memory;
  memory.write(0, 6'000);
  volatile unsigned char seen = 0;
  for (std::size_t i = 6'000; i < 6'100; ++i) seen = memory.start[i * memory.page];
  CHECK(seen == 0);
  memory.write(9'000, 15'000);
  int wait[2];
  CHECK(::pipe(wait) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    char end = 0;
    ::close(wait[1]);
    const ssize_t got = ::read(wait[0], &end, 1);
    ::_exit(got < 0 ? 1 : 0);
  }
  ::close(wait[0]);
  // Writing copies these pages, so they are exclusive again; the others are shared by two
  // processes.
  memory.write(0, 5'500);
  const auto expected = each(survey(memory, 0, 1));
  CHECK(each(survey(memory, 1, 1)) == expected);
  ::close(wait[1]);
  int status = 0;
  CHECK(::waitpid(child, &status, 0) == child && status == 0);
}

void holes_among_them_stay_holes() {
  const Memory memory;
  memory.write(0, kPages);
  for (std::size_t i = 3; i < kPages; i += 29) {
    ::madvise(memory.start + i * memory.page, memory.page, MADV_DONTNEED);
  }
  const auto expected = each(survey(memory, 0, 1));
  CHECK(each(survey(memory, 1, 2)) == expected);
  CHECK(expected[3] == -1000 - static_cast<std::int32_t>(Presence::kNothing));
}

}  // namespace

int main() {
  if (!movepages::shows_frame_numbers() || movepages::real_kernel().huge_until == nullptr)
    return 77;
  few_questions_and_the_same_answers();
  what_the_kernel_says_counts();
  a_lie_found_late_is_a_lie_from_there_on();
  pages_without_a_number_to_go_by_are_asked_for();
  holes_among_them_stay_holes();
  std::puts("ok");
}
