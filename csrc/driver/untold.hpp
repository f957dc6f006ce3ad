// A buffer of statuses that read as kNotAttempted before anything is written: one window of a file
// is mapped repeatedly and copied on write. When a signal ends a call early, the rest of a long
// list then costs nothing.
#pragma once

#include <cstddef>
#include <cstdint>

namespace movepages {

class Untold {
 public:
  // start() is null if the kernel refuses the mapping.
  explicit Untold(std::size_t count) noexcept;
  ~Untold();
  Untold(const Untold&) = delete;
  Untold& operator=(const Untold&) = delete;

  std::int32_t* start() const noexcept { return start_; }
  // Whether the buffer is unwritten: true for the first call only.
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
