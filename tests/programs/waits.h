// A thread that maps, touches and unmaps 64 KiB without end, and how long its turns take: who looks at the process may
// not make it wait.
#pragma once

#include <pthread.h>
#include <time.h>

#include "target.h"

static struct {
  pthread_mutex_t lock;
  double longest_us, sum_us;
  unsigned long count;
} waits = {.lock = PTHREAD_MUTEX_INITIALIZER};

static double now_us(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static void* map_and_unmap(void* unused) {
  (void)unused;
  for (;;) {
    const double begin = now_us();
    char* const memory = mmap(NULL, 64 * KIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(memory != MAP_FAILED, "mmap");
    *(volatile char*)memory = 1;
    munmap(memory, 64 * KIB);
    const double took = now_us() - begin;
    pthread_mutex_lock(&waits.lock);
    if (took > waits.longest_us) waits.longest_us = took;
    waits.sum_us += took;
    ++waits.count;
    pthread_mutex_unlock(&waits.lock);
  }
  return NULL;
}

static void tell_waits(void) {
  pthread_mutex_lock(&waits.lock);
  tell("waits", NULL, 0, "longest_us=%.1f mean_us=%.2f count=%lu", waits.longest_us,
       waits.count ? waits.sum_us / (double)waits.count : 0.0, waits.count);
  waits.longest_us = waits.sum_us = 0;
  waits.count = 0;
  pthread_mutex_unlock(&waits.lock);
}

// Starts the thread. Each step prints the longest and the mean time that one turn took since the step before.
static void measure_waits(void) {
  pthread_t thread;
  must(pthread_create(&thread, NULL, map_and_unmap, NULL) == 0, "pthread_create");
  while (ready()) tell_waits();
}
