/* The copy of the STREAM benchmark, and a sum of what is read, with OpenMP. Written anew from
 * STREAM's description. Each returns the seconds of the fastest round.
 *
 * A round lasts from the first thread's start to the last one's end. STREAM also counts the time in
 * which OpenMP wakes its threads, which says nothing about memory and is long on a busy machine. */
#define _GNU_SOURCE
#include <omp.h>
#include <sched.h>
#include <stdint.h>
#include <time.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Has OpenMP use one thread on each CPU from now on. The calling thread is one of them. */
void pin(const int* cpus, int count) {
  omp_set_dynamic(0);
  omp_set_num_threads(count);
#pragma omp parallel
  {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpus[omp_get_thread_num()], &one);
    sched_setaffinity(0, sizeof one, &one);
  }
}

/* Returns when all threads are here and running: OpenMP's barrier lets them sleep. */
static void meet(int* arrived) {
  __atomic_add_fetch(arrived, 1, __ATOMIC_SEQ_CST);
  while (__atomic_load_n(arrived, __ATOMIC_SEQ_CST) < omp_get_num_threads()) sched_yield();
}

double copy(const uint64_t* from, uint64_t* to, long words, int rounds) {
  double best = 1e9;
  for (int round = 0; round < rounds; round++) {
    double start = 1e18, end = 0;
    int arrived = 0;
#pragma omp parallel reduction(min : start) reduction(max : end)
    {
      meet(&arrived);
      start = now();
#pragma omp for schedule(static) nowait
      for (long i = 0; i < words; i++) to[i] = from[i];
      end = now();
    }
    if (end - start < best) best = end - start;
  }
  return best;
}

double sum(const uint64_t* from, uint64_t* result, long words, int rounds) {
  double best = 1e9;
  for (int round = 0; round < rounds; round++) {
    uint64_t found = 0;
    double start = 1e18, end = 0;
    int arrived = 0;
#pragma omp parallel reduction(min : start) reduction(max : end) reduction(+ : found)
    {
      meet(&arrived);
      start = now();
      uint64_t own = 0;
#pragma omp for schedule(static) nowait
      for (long i = 0; i < words; i++) own += from[i];
      /* The sum is needed before the clock is read. */
      __asm__ volatile("" : "+r"(own) : : "memory");
      end = now();
      found += own;
    }
    if (end - start < best) best = end - start;
    *result = found;
  }
  return best;
}
