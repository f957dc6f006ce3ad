// More pages than do_pages_move() can count in its int: more than 2^31, in little memory.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdio>

#include "cases.hpp"
#include "check.hpp"
#include "driver/migrate.hpp"

namespace {

constexpr std::size_t kCount = (std::size_t{1} << 31) + 3 * (std::size_t{1} << 16) + 17;
constexpr std::size_t kWindow = std::size_t{64} << 20;

// Returns `bytes` of address space that map the same 64 MiB over and over.
void* repeated_memory(std::size_t bytes) {
  const std::size_t windows = (bytes + kWindow - 1) / kWindow;
  const int file = ::memfd_create("repeated", 0);
  CHECK(file >= 0 && ::ftruncate(file, kWindow) == 0);
  void* base = ::mmap(nullptr, windows * kWindow, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK(base != MAP_FAILED);
  for (std::size_t k = 0; k < windows; ++k) {
    void* place = static_cast<char*>(base) + k * kWindow;
    CHECK(::mmap(place, kWindow, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0) == place);
  }
  ::close(file);
  return base;
}

const std::uintptr_t* first_page;
std::int32_t* first_status;
std::size_t covered;
bool moving;

long count_pages(int, std::size_t count, const std::uintptr_t* pages, const std::int32_t* nodes,
                 std::int32_t* status, int) noexcept {
  CHECK(count > 0 && count <= INT_MAX && count <= kCount - covered);
  CHECK(pages == first_page + covered && status == first_status + covered);
  CHECK((nodes != nullptr) == moving);
  if (moving) CHECK(std::all_of(nodes, nodes + count, [](int node) { return node == 1; }));
  if (moving) std::fill_n(status, count, 1);
  status[0] = status[count - 1] = 1;
  covered += count;
  return 0;
}

bool allowed_nodes(movepages::NodeMask& mask) noexcept {
  mask.words[0] = 2;
  return true;
}

std::int64_t now_ns() noexcept { return static_cast<std::int64_t>(covered); }

}  // namespace

void run_many_pages() {
  first_page = static_cast<std::uintptr_t*>(repeated_memory(kCount * sizeof(std::uintptr_t)));
  first_status = static_cast<std::int32_t*>(repeated_memory(kCount * sizeof(std::int32_t)));
  const movepages::Target target = {nullptr, 1};
  movepages::Kernel kernel = {};
  kernel.move_pages = count_pages;
  kernel.allowed_nodes = allowed_nodes;
  kernel.now_ns = now_ns;
  kernel.work_ns = now_ns;
  kernel.page_bytes = 4096;
  for (const bool moves : {true, false}) {
    moving = moves;
    covered = 0;
    const movepages::Outcome outcome = movepages::move_pages(
        {0, kCount, first_page, moves ? &target : nullptr, first_status, 0}, {}, kernel);
    CHECK(outcome.error == 0 && !outcome.rejected && !outcome.interrupted);
    CHECK(covered == kCount);
    CHECK(first_status[0] == 1 && first_status[kCount - 1] == 1);
    std::printf("ok %s %zu pages\n", moves ? "moved" : "asked for", covered);
  }
}
