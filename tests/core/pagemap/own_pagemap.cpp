// The page tables of this process: in a forked child, and at the end of its address space. Exits
// with 77 if the kernel gives no huge page, or does not show any.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

#include "../check.hpp"
#include "kernel/pagemap.hpp"

namespace {

using movepages::Pagemap;

unsigned char* mapped(std::size_t bytes) {
  void* const start =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(start != MAP_FAILED);
  return static_cast<unsigned char*>(start);
}

bool is_present(Pagemap& pagemap, const unsigned char* page) {
  std::uint64_t entry = 0;
  CHECK(pagemap.read(reinterpret_cast<std::uintptr_t>(page), 1, &entry) == 1);
  return (entry & movepages::kPagePresent) != 0;
}

void a_child_sees_its_own_memory() {
  const std::size_t bytes = movepages::page_bytes();
  unsigned char* const page = mapped(bytes);
  *page = 1;
  Pagemap pagemap(0);
  CHECK(is_present(pagemap, page));
  const pid_t child = ::fork();
  if (child == 0) {
    ::madvise(page, bytes, MADV_DONTNEED);
    ::_exit(is_present(pagemap, page) ? 1 : 0);
  }
  int status = 0;
  CHECK(::waitpid(child, &status, 0) == child && status == 0);
  CHECK(is_present(pagemap, page));
  ::munmap(page, bytes);
}

// False if there is no huge page.
bool huge_pages_are_seen_wherever_the_range_ends() {
  const std::size_t size = movepages::huge_page_bytes();
  unsigned char* const whole = mapped(2 * size);
  ::madvise(whole, 2 * size, MADV_HUGEPAGE);
  const std::uintptr_t start = (reinterpret_cast<std::uintptr_t>(whole) + size - 1) / size * size;
  *reinterpret_cast<volatile unsigned char*>(start) = 1;
  Pagemap pagemap(0);
  if (movepages::huge_until(pagemap, start, start + size).until != start + size) return false;
  const std::uintptr_t beyond = std::uintptr_t{1} << (8 * sizeof(std::uintptr_t) - 2);
  const movepages::HugeAnswer answer = movepages::huge_until(pagemap, start, beyond);
  CHECK(answer.known && answer.until == start + size);
  ::munmap(whole, 2 * size);
  return true;
}

}  // namespace

int main() {
  a_child_sees_its_own_memory();
  if (!huge_pages_are_seen_wherever_the_range_ends()) return 77;
  std::puts("ok");
}
