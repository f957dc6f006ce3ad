#include "driver/untold.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <limits>

#include "driver/migrate.hpp"

namespace movepages {
namespace {

// Large enough that few of the 65,530 mappings of a process are needed.
constexpr std::size_t kWindow = std::size_t{16} << 20;

bool fill(int file) noexcept {
  if (::ftruncate(file, kWindow) != 0) return false;
  void* window = ::mmap(nullptr, kWindow, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (window == MAP_FAILED) return false;
  std::fill_n(static_cast<std::int32_t*>(window), kWindow / sizeof(std::int32_t), kNotAttempted);
  ::munmap(window, kWindow);
  return true;
}

}  // namespace

Untold::Untold(std::size_t count) noexcept {
  if (count > std::numeric_limits<std::size_t>::max() / sizeof(std::int32_t) - kWindow) return;
  bytes_ = (count * sizeof(std::int32_t) + kWindow - 1) / kWindow * kWindow;
  const int file = ::memfd_create("movepages", MFD_CLOEXEC);
  if (file < 0) return;
  if (fill(file)) map(file);
  ::close(file);
}

Untold::~Untold() {
  if (start_ != nullptr) ::munmap(start_, bytes_);
}

void Untold::map(int file) noexcept {
  constexpr int kNone = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  constexpr int kCopied = MAP_PRIVATE | MAP_NORESERVE | MAP_FIXED;
  void* whole = ::mmap(nullptr, bytes_, PROT_NONE, kNone, -1, 0);
  if (whole == MAP_FAILED) return;
  for (std::size_t at = 0; at < bytes_; at += kWindow) {
    char* place = static_cast<char*>(whole) + at;
    if (::mmap(place, kWindow, PROT_READ | PROT_WRITE, kCopied, file, 0) == MAP_FAILED) {
      ::munmap(whole, bytes_);
      return;
    }
  }
  start_ = static_cast<std::int32_t*>(whole);
}

}  // namespace movepages
