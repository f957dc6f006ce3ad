#include "kernel/engine.hpp"

#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <iterator>

#include "kernel/node_room.hpp"
#include "kernel/pagemap.hpp"
#include "kernel/policy.hpp"
#include "kernel/syscalls.hpp"

namespace movepages {
namespace {

constexpr int kNotChosen = -1;
std::atomic<int> chosen{kNotChosen};

bool allows_move_pages() noexcept {
  return sys_move_pages(0, 0, nullptr, nullptr, nullptr, kMpolMfMove) == 0;
}

bool shows_page_tables(std::uintptr_t here) noexcept {
  std::uint64_t entry = 0;
  return Pagemap(0).read(here, 1, &entry) == 1;
}

// The stack's page is in memory, so that get_mempolicy(2) faults nothing in.
Engine allowed() noexcept {
  int node = 0;
  const auto here = reinterpret_cast<std::uintptr_t>(&node);
  if (allows_move_pages() || !shows_page_tables(here)) return Engine::kMovePages;
  if (sys_get_mempolicy(&node, nullptr, 0, here, kMpolFNode | kMpolFAddr) == 0) {
    return Engine::kPolicy;
  }
  return ::access("/proc/self/numa_maps", R_OK) == 0 ? Engine::kProc : Engine::kMovePages;
}

// The index of the engine that the environment names; kNotChosen if it names none.
int named() noexcept {
  const char* name = std::getenv("MOVEPAGES_ENGINE");
  for (std::size_t i = 0; name != nullptr && i < std::size(kEngineNames); ++i) {
    if (std::strcmp(name, kEngineNames[i]) == 0) return static_cast<int>(i);
  }
  return kNotChosen;
}

int choose() noexcept {
  const int wanted = named();
  return wanted == kNotChosen ? static_cast<int>(allowed()) : wanted;
}

// Calls an engine; if it is refused, calls the one that is allowed now.
template <Engine kMine, decltype(Kernel::move_pages) kCall>
long call(int pid, std::size_t count, const std::uintptr_t* pages, const std::int32_t* nodes,
          std::int32_t* status, int flags) noexcept {
  const long ret = kCall(pid, count, pages, nodes, status, flags);
  if (!is_refusal(ret) || named() != kNotChosen) return ret;
  const Engine now = allowed();
  if (now <= kMine) return ret;
  use_engine(&now);
  return kernel_in_use().move_pages(pid, count, pages, nodes, status, flags);
}

Kernel table(decltype(Kernel::move_pages) move_pages, bool hides,
             decltype(Kernel::begin) begin = nullptr) noexcept {
  Kernel kernel = real_kernel();
  kernel.begin = begin;
  kernel.move_pages = move_pages;
  if (!hides) kernel.hides_pages = nullptr;
  // A policy call changes mappings, and those of its neighbours with them.
  kernel.moves_alone = !hides;
  return kernel;
}

}  // namespace

Engine engine() noexcept {
  int now = chosen.load();
  if (now == kNotChosen) {
    now = choose();
    if (unknown_engine() == nullptr) chosen.store(now);
  }
  return static_cast<Engine>(now);
}

const char* unknown_engine() noexcept {
  if (chosen.load() != kNotChosen) return nullptr;
  const char* name = std::getenv("MOVEPAGES_ENGINE");
  return name != nullptr && *name != '\0' && named() == kNotChosen ? name : nullptr;
}

void use_engine(const Engine* wanted) noexcept {
  chosen.store(wanted != nullptr ? static_cast<int>(*wanted) : kNotChosen);
}

const Kernel& kernel_in_use() noexcept {
  // The page tables show every page, so the other engines hide none.
  static const Kernel tables[] = {
      table(call<Engine::kMovePages, sys_move_pages>, true),
      table(call<Engine::kPolicy, move_pages_by_policy>, false, forget_full_nodes),
      table(call<Engine::kProc, move_pages_by_proc>, false),
  };
  return tables[static_cast<std::size_t>(engine())];
}

}  // namespace movepages
