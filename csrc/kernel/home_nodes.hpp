// The home node of a memory policy (set_mempolicy_home_node(2), Linux 5.17), which no call reports.
// Setting a policy again without a home node changes nothing if it has none. Otherwise it cuts the
// mapping in two, and the mapping is whole again once the part has the home node of the rest.
#pragma once

#include <cstdint>

#include "kernel/kernel.hpp"

namespace movepages {

class HomeNodes {
 public:
  static constexpr std::int32_t kNone = -1;

  // Returns the home node of the policy of the mapping at an address; kNone if it has none, or if
  // that cannot be told: the mapping is shared, or no larger than the smallest part.
  std::int32_t of(std::uintptr_t address, int mode, const NodeMask& nodes) noexcept;
  // Gives a range with such a policy a home node. Returns 0 or -errno.
  static long set(std::uintptr_t start, std::uintptr_t bytes, std::int32_t home) noexcept;

 private:
  bool is_cut() const noexcept;

  std::uintptr_t start_ = 0;  // the mapping asked about last
  std::uintptr_t end_ = 0;
  std::int32_t home_ = kNone;
};

}  // namespace movepages
