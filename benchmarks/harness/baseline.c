/* The bare system call, as a C program would make it. movepages is measured against it. */
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Returns the seconds for `calls` calls on the same pages, queries if `nodes` is NULL. Returns a
 * negative value if a call failed or left a page behind. */
double time_calls(const void* pages, const int* nodes, int* status, unsigned long count,
                  long calls) {
  const double start = now();
  for (long i = 0; i < calls; i++)
    if (syscall(SYS_move_pages, 0, count, pages, nodes, status, 2 /* MPOL_MF_MOVE */) != 0)
      return -1;
  return now() - start;
}

/* Keeps a CPU busy in this address space, so that changes of mappings must interrupt that CPU. */
void spin(const volatile int* stop) {
  while (!*stop) {
  }
}
