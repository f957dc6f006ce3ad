// What Python calls in place of movepages._core: the driver and the survey, on the model. And a
// count of the memory that they allocate.
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>
#include <numeric>
#include <vector>

#include "driver/migrate.hpp"
#include "kernel.hpp"
#include "survey/survey.hpp"

namespace {

// The size of each allocation is kept in front of it.
constexpr std::size_t kAhead = alignof(std::max_align_t);
std::int64_t allocated = 0;
std::int64_t most_allocated = 0;
std::int64_t allocated_at_begin = 0;

void* allocate(std::size_t bytes) noexcept {
  auto* room = static_cast<std::size_t*>(std::malloc(bytes + kAhead));
  if (room == nullptr) return nullptr;
  *room = bytes;
  allocated += static_cast<std::int64_t>(bytes);
  most_allocated = std::max(most_allocated, allocated);
  return reinterpret_cast<char*>(room) + kAhead;
}

void give_back(void* memory) noexcept {
  if (memory == nullptr) return;
  auto* room = reinterpret_cast<std::size_t*>(static_cast<char*>(memory) - kAhead);
  allocated -= static_cast<std::int64_t>(*room);
  std::free(room);
}

void* or_throw(void* memory) {
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

std::unique_ptr<scaling::Kernel> kernel;
movepages::Pace pace;
std::vector<movepages::SurveyRun> runs;

}  // namespace

void* operator new(std::size_t bytes) { return or_throw(allocate(bytes)); }
void* operator new[](std::size_t bytes) { return or_throw(allocate(bytes)); }
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept { return allocate(bytes); }
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept { return allocate(bytes); }
void operator delete(void* memory) noexcept { give_back(memory); }
void operator delete[](void* memory) noexcept { give_back(memory); }
void operator delete(void* memory, std::size_t) noexcept { give_back(memory); }
void operator delete[](void* memory, std::size_t) noexcept { give_back(memory); }

extern "C" {

void begin(std::size_t pages, std::size_t every, std::size_t first, std::size_t nodes, bool huge,
           std::int64_t fixed_ns) {
  kernel = std::make_unique<scaling::Kernel>(scaling::Memory{pages, every, first, nodes, huge},
                                             fixed_ns);
  scaling::current = kernel.get();
  pace = movepages::Pace();
  runs = {};
  most_allocated = allocated_at_begin = allocated;
}

std::size_t survey(std::size_t count, const std::uintptr_t* starts, const std::int64_t* pages,
                   std::size_t fewest, bool ask_small) {
  std::vector<movepages::PageRange> ranges;
  for (std::size_t i = 0; i < count; ++i) {
    ranges.push_back({starts[i], static_cast<std::size_t>(pages[i])});
  }
  movepages::SurveyRequest request;
  request.ranges = ranges.data();
  request.count = count;
  request.fewest = fewest;
  request.ask_small = ask_small;
  runs = {};
  movepages::survey(request, {}, scaling::table(), &runs);
  return runs.size();
}

void take_runs(std::uintptr_t* starts, std::int64_t* pages, std::int32_t* status,
               std::uint8_t* kinds) {
  for (std::size_t i = 0; i < runs.size(); ++i) {
    starts[i] = runs[i].start;
    pages[i] = static_cast<std::int64_t>(runs[i].pages);
    status[i] = runs[i].status;
    kinds[i] = static_cast<std::uint8_t>(runs[i].what);
  }
  runs = {};
}

long move_pages(std::size_t count, const std::uintptr_t* pages, const std::int32_t* nodes,
                std::int32_t one_node, bool moves, std::int32_t* status) {
  const movepages::Target target = {nodes, one_node};
  const movepages::Request request = {0,      count,         pages, moves ? &target : nullptr,
                                      status, moves ? 2 : 0, &pace};
  return movepages::move_pages(request, {}, scaling::table()).error;
}

void read_counts(scaling::Counts* counts) {
  *counts = kernel->counts;
  counts->clock_ns = kernel->now();
}

std::size_t not_placed() { return kernel->not_placed(); }
std::int64_t peak_bytes() { return most_allocated - allocated_at_begin; }

}  // extern "C"
