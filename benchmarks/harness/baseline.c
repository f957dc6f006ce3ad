/* The bare system call, as a C program would make it: what movepages is measured against. */
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Seconds for `calls` calls on the same pages, queries where `nodes` is NULL; negative when one of
 * them failed or left a page behind. */
double time_calls(const void* pages, const int* nodes, int* status, unsigned long count,
                  long calls) {
  const double start = now();
  for (long i = 0; i < calls; i++)
    if (syscall(SYS_move_pages, 0, count, pages, nodes, status, 2 /* MPOL_MF_MOVE */) != 0)
      return -1;
  return now() - start;
}

/* Keeps a CPU busy with this address space, so that what is changed in it has to be told to it. */
void spin(const volatile int* stop) {
  while (!*stop) {
  }
}
