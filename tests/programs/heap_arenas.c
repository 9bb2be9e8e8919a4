// Allocations that live in the brk heap, in glibc's secondary arenas (one a thread), and in mappings of their own.
#include "target.h"

#include <pthread.h>

enum { threads = 4, blocks = 1000, block_size = 1000 };

static char* volatile sink[threads + 1][blocks];
static pthread_barrier_t all_done;

static void allocate(size_t row) {
  for (size_t i = 0; i < blocks; ++i) {
    char* const block = malloc(block_size);
    must(block != NULL, "malloc");
    memset(block, (int)i, block_size);
    sink[row][i] = block;
  }
}

static void* work(void* row) {
  allocate((size_t)(uintptr_t)row);
  pthread_barrier_wait(&all_done);
  for (;;) pause();
  return NULL;
}

int main(void) {
  must(pthread_barrier_init(&all_done, NULL, threads + 1) == 0, "pthread_barrier_init");
  allocate(threads);
  for (uintptr_t i = 0; i < threads; ++i) {
    pthread_t thread;
    must(pthread_create(&thread, NULL, work, (void*)i) == 0, "pthread_create");
  }
  pthread_barrier_wait(&all_done);
  tell("main_heap", sink[threads][0], block_size, "%s", "");
  for (size_t i = 0; i < threads; ++i) tell("arena", sink[i][0], block_size, "last=%p", (void*)sink[i][blocks - 1]);
  char* const big = malloc(4 * MIB);
  must(big != NULL, "malloc");
  write_pages(big, 4 * MIB);
  tell("mapped_chunk", big, 4 * MIB, "%s", "");
  ready_until_end();
  _exit(0);
}
