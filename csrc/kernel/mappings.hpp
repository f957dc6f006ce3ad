// The mappings of this process, from /proc/self/maps.
#pragma once

#include <cstdint>
#include <vector>

namespace movepages {

struct Mapping {
  std::uintptr_t start;
  std::uintptr_t end;
  bool shared;
  bool anonymous;  // private memory without a file
  bool device;     // memory of a device or of the kernel itself
};

// Reads the mappings at the first use. Mappings change at any time, so no instance lives for long.
class Mappings {
 public:
  // Returns the mapping at an address; null if there is none, or if the file cannot be read.
  const Mapping* at(std::uintptr_t address) noexcept;

 private:
  void read();

  bool read_ = false;
  std::vector<Mapping> found_;
};

}  // namespace movepages
