// A check that, on failure, prints its place and the running case, and ends the program.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace check {

inline const char* running = "start";
inline std::uint64_t seed = 0;

// The page that is being checked.
struct Page {
  std::size_t index = 0;
  int said = 0, now = 0, wanted = 0, fate = 0;
};
inline Page page;

[[noreturn]] inline void fail(const char* file, int line, const char* what) {
  std::fflush(stdout);
  std::fprintf(stderr, "%s:%d: %s\n  in %s, seed %llu\n", file, line, what, running,
               static_cast<unsigned long long>(seed));
  std::fprintf(stderr, "  last page looked at: %zu, said %d, now %d, wanted %d, fate %d\n",
               page.index, page.said, page.now, page.wanted, page.fate);
  std::exit(1);
}

}  // namespace check

#define CHECK(condition) \
  ((condition) ? static_cast<void>(0) : check::fail(__FILE__, __LINE__, #condition))
