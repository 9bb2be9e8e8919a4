// trims: heaps with whole free pages between blocks in use, in the main arena and in that of a thread; some of these pages
// are free only when small blocks, which fast bins hold, are joined with large ones. The step gives back what malloc_trim
// can; `before` and `after` are what the program itself counts with mallinfo2.
#include "target.h"

#include <malloc.h>
#include <pthread.h>

enum { blocks = 600, block_size = 50000, kept_every = 3, pairs = 4000, small_size = 40, large_size = 3000, kept_pairs = 50 };

static char output[1 << 14];
static pthread_barrier_t turn;

static void fill(void) {
  static __thread char* made[blocks];
  for (size_t i = 0; i < blocks; ++i) {
    made[i] = malloc(block_size);
    must(made[i] != NULL, "malloc");
    memset(made[i], 0x5a, block_size);
  }
  for (size_t i = 0; i < blocks; ++i)
    if (i % kept_every != 0) free(made[i]);
}

static void fill_in_pairs(void) {
  static __thread char *small[pairs], *large[pairs];
  for (size_t i = 0; i < pairs; ++i) {
    small[i] = malloc(small_size);
    large[i] = malloc(large_size);
    must(small[i] != NULL && large[i] != NULL, "malloc");
    memset(small[i], 0x5a, small_size);
    memset(large[i], 0x5a, large_size);
  }
  for (size_t i = 0; i < pairs; ++i) {
    if (i % kept_pairs == 0) continue;
    free(small[i]);
    free(large[i]);
  }
}

static void* work(void* nothing) {
  fill();
  fill_in_pairs();
  pthread_barrier_wait(&turn);
  for (;;) pause();
  return nothing;
}

static void tell_counts(const char* name) {
  const struct mallinfo2 info = mallinfo2();
  tell(name, 0, 0, "arena=%zu uordblks=%zu fordblks=%zu keepcost=%zu", info.arena, info.uordblks, info.fordblks, info.keepcost);
}

int main(void) {
  setvbuf(stdout, output, _IOFBF, sizeof output);
  must(mallopt(M_TRIM_THRESHOLD, 1 << 30) == 1, "mallopt");
  must(mallopt(M_MMAP_THRESHOLD, 1 << 20) == 1, "mallopt");
  pthread_barrier_init(&turn, NULL, 2);
  pthread_t thread;
  must(pthread_create(&thread, NULL, work, NULL) == 0, "pthread_create");
  pthread_barrier_wait(&turn);
  fill();
  fill_in_pairs();
  tell_counts("before");
  if (!ready()) _exit(0);
  must(malloc_trim(0) == 1, "malloc_trim");
  tell_counts("after");
  ready_until_end();
  _exit(0);
}
