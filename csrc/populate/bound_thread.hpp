// Where the calling thread allocates pages.
#pragma once

#include <cstdint>
#include <vector>

#include "kernel/policy.hpp"

namespace movepages {

// Gives the calling thread the policy for some nodes. The destructor puts its own policy back.
class BoundThread {
 public:
  // In memory without a policy, several nodes take turns by page number.
  explicit BoundThread(const std::vector<std::int32_t>& nodes) noexcept
      : error_(thread_policy(&before_)) {
    ThreadPolicy bound;
    bound.mode = nodes.size() == 1 ? kMpolBind : kMpolInterleave;
    for (const std::int32_t node : nodes) bound.nodes.add(node);
    if (error_ == 0) error_ = set_thread_policy(bound);
  }
  ~BoundThread() {
    if (error_ != 0) return;
    // The nodes of its own policy may have been forbidden meanwhile.
    if (set_thread_policy(before_) != 0) set_thread_policy({});
  }
  BoundThread(const BoundThread&) = delete;
  BoundThread& operator=(const BoundThread&) = delete;

  long error() const noexcept { return error_; }

 private:
  ThreadPolicy before_;
  long error_;
};

}  // namespace movepages
