// Queries the nodes of pages: one entry for each huge page, in portions that every kernel answers
// correctly, with a second look at pages that old kernels hide.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "driver/huge.hpp"
#include "kernel/hidden.hpp"
#include "kernel/kernel.hpp"

namespace movepages {

// move_pages(2), repeated if a signal interrupted it while it looked up the other process.
long call_again_after_eintr(const Kernel& kernel, int pid, std::size_t count,
                            const std::uintptr_t* pages, const std::int32_t* nodes,
                            std::int32_t* status, int flags) noexcept;

class Query {
 public:
  // A 32-bit process under a 64-bit kernel before 6.18 gets wrong statuses from index 16 on.
  static constexpr std::size_t kPortion = sizeof(void*) == 4 ? 16 : std::size_t{1} << 16;

  // With `touches`, the query may access hidden pages of another process (hidden.hpp); moves may.
  Query(int pid, int flags, const Kernel& kernel, bool touches = false) noexcept
      : pid_(pid),
        flags_(flags),
        kernel_(kernel),
        huge_(pid, kernel),
        hides_(kernel.hides_pages != nullptr && kernel.hides_pages()),
        hidden_(pid, touches) {}

  // Returns 0 or -errno. If 0, `status` is complete.
  long ask(const std::uintptr_t* pages, std::size_t count, std::int32_t* status) noexcept;
  // Whether the kernel may report resident pages as absent.
  bool hides() const noexcept { return hides_; }

 private:
  long ask_each(const std::uintptr_t* pages, std::size_t count, std::int32_t* status) noexcept;
  long ask_heads(const std::uintptr_t* pages, std::size_t heads, std::int32_t* status) noexcept;

  const int pid_;
  const int flags_;
  const Kernel& kernel_;
  HugePages huge_;
  const bool hides_;
  HiddenPages hidden_;
};

}  // namespace movepages
