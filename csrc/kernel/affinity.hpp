// The CPUs that the calling thread may run on.
#pragma once

#include <errno.h>
#include <sched.h>

#include <algorithm>
#include <vector>

namespace movepages {

// Lets the calling thread run on these CPUs only. Returns 0 or -errno.
inline long run_on(const std::vector<int>& cpus) noexcept {
  if (cpus.empty()) return -EINVAL;
  const int most = *std::max_element(cpus.begin(), cpus.end()) + 1;
  cpu_set_t* set = CPU_ALLOC(most);
  if (set == nullptr) return -ENOMEM;
  const std::size_t bytes = CPU_ALLOC_SIZE(most);
  CPU_ZERO_S(bytes, set);
  for (const int cpu : cpus) CPU_SET_S(cpu, bytes, set);
  const long ret = ::sched_setaffinity(0, bytes, set) < 0 ? -errno : 0;
  CPU_FREE(set);
  return ret;
}

}  // namespace movepages
