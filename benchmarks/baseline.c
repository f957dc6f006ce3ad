/* The bare system call, as a C program would make it: what the binding is measured against. */
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Seconds for `calls` queries of the same pages; negative when one of them failed. */
double time_queries(const void *pages, int *status, unsigned long count, long calls) {
  const double start = now();
  for (long i = 0; i < calls; i++)
    if (syscall(SYS_move_pages, 0, count, pages, NULL, status, 2 /* MPOL_MF_MOVE */) != 0) return -1;
  return now() - start;
}
