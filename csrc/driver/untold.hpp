// Room for the statuses of very many pages, which hold kNotAttempted from the start without being
// written: one window of a file is mapped again and again, and copied where it is written to. What
// is left of a long list when a signal ends the call then costs nothing.
#pragma once

#include <cstddef>
#include <cstdint>

namespace movepages {

class Untold {
 public:
  // start() is null where the kernel does not give it.
  explicit Untold(std::size_t count) noexcept;
  ~Untold();
  Untold(const Untold&) = delete;
  Untold& operator=(const Untold&) = delete;

  std::int32_t* start() const noexcept { return start_; }
  // Whether nobody has written to it yet: true once.
  bool take() noexcept {
    const bool before = fresh_;
    fresh_ = false;
    return before;
  }

 private:
  void map(int file) noexcept;

  std::size_t bytes_ = 0;
  std::int32_t* start_ = nullptr;
  bool fresh_ = true;
};

}  // namespace movepages
