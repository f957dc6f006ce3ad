// The ways to find and move pages: one table of the kernel for each, chosen by what a sandbox
// allows.
#pragma once

#include "kernel/kernel.hpp"

namespace movepages {

enum class Engine {
  kMovePages,  // move_pages(2)
  kPolicy,     // page tables, get_mempolicy(2) and mbind(2); this process alone
  kProc        // page tables alone; nothing moves
};
constexpr const char* kEngineNames[] = {"move_pages", "policy", "proc"};

// The engine in use. The first call tries what is allowed, without touching memory or policies.
Engine engine() noexcept;
// What MOVEPAGES_ENGINE names, if no engine has that name; else null.
const char* unknown_engine() noexcept;
// Uses an engine from now on; null: chooses anew.
void use_engine(const Engine* wanted) noexcept;

// The table of the engine in use. If a sandbox has closed around this process since the engine was
// chosen, a call of the table chooses again.
const Kernel& kernel_in_use() noexcept;

// The calls of two tables; see Kernel::move_pages.
long move_pages_by_policy(int pid, std::size_t count, const std::uintptr_t* pages,
                          const std::int32_t* nodes, std::int32_t* status, int flags) noexcept;
long move_pages_by_proc(int pid, std::size_t count, const std::uintptr_t* pages,
                        const std::int32_t* nodes, std::int32_t* status, int flags) noexcept;

}  // namespace movepages
