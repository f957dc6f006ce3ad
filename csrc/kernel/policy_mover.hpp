// Moves pages of this process with mbind(2): a range gets a policy that binds it to the target, the
// kernel moves its pages, and the range gets its own policy back. Nothing runs in between but
// system calls, so no signal handler of Python can leave a range with the wrong policy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "kernel/extents.hpp"
#include "kernel/home_nodes.hpp"
#include "kernel/kernel.hpp"
#include "kernel/own_pages.hpp"

namespace movepages {

class PolicyMover {
 public:
  explicit PolicyMover(int flags) noexcept;

  // Does what move_pages(2) does, and writes every status. Returns 0; -ENOMEM if a page had no room
  // on its target; or the -errno of a call that is refused, with the statuses so far.
  long move(const std::uintptr_t* pages, std::size_t count, const std::int32_t* nodes,
            std::int32_t* status) noexcept;

 private:
  // Entries of a list whose pages lie side by side, with one target and one policy.
  struct Run {
    std::uintptr_t start = 0;
    std::uintptr_t end = 0;
    std::int32_t node = 0;
    int mode = 0;
    NodeMask policy_nodes;
    std::int32_t home = HomeNodes::kNone;
    std::size_t first = 0;  // places in order_
    std::size_t last = 0;
  };

  long move_block(const std::uintptr_t* pages, std::size_t count, const std::int32_t* nodes,
                  std::int32_t* status) noexcept;
  std::size_t sort_block(std::size_t count) noexcept;
  bool joins(const Run& run, const Run& next) const noexcept;
  long move_run(const Run& run) noexcept;
  long move_each(const Run& run) noexcept;
  long bind_to_target(const Run& run, Extent* bound) noexcept;
  long restore(const Run& run, const Extent& bound) noexcept;
  long ask(const Run& run, long ret) noexcept;
  std::int32_t status_of_unreadable(const Run& run, std::uintptr_t page, long ret) noexcept;
  std::size_t left_behind(const Run& run) const noexcept;
  bool leaves_alone(const Run& run) const noexcept;
  void explain(const Run& run, long ret) noexcept;

  static constexpr std::size_t kBlock = 4096;
  const int flags_;
  OwnPages own_{OwnPages::kByPolicy};
  HomeNodes homes_;
  Extents extents_;
  const std::uintptr_t* pages_ = nullptr;
  const std::int32_t* nodes_ = nullptr;
  std::int32_t* status_ = nullptr;
  std::unique_ptr<std::uint16_t[]> order_;
  std::unique_ptr<std::uintptr_t[]> asked_;
  std::unique_ptr<std::int32_t[]> said_;
  bool lacked_room_ = false;
};

}  // namespace movepages
