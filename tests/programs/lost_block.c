// lost_block: four blocks of malloc with mappings of their own. Each step breaks the header of one more, so that malloc
// counts one block more than anybody can find (`lost`: what it takes). `churn`, a thread that maps and unmaps blocks all
// the time, runs only when the first argument says so.
#include "target.h"

#include <malloc.h>
#include <pthread.h>

enum { blocks = 4, block_size = 30000000, touched = 65536, churn_size = 1500000, sized = 300000 };

static char output[1 << 14];

static void* churn(void* seed) {
  unsigned state = (unsigned)(uintptr_t)seed + 1;
  void* kept[16] = {NULL};
  for (;;) {
    state = state * 1103515245u + 12345u;
    void** const place = &kept[state >> 16 & 15];
    free(*place);
    *place = malloc(state >> 20 & 1 ? (size_t)churn_size + (state >> 8 & 0xffff) : (size_t)(64 + (state >> 12 & 0xfff)));
    must(*place != NULL, "malloc");
    memset(*place, 1, 64);
  }
  return NULL;
}

/// The header of a block is the word before it: its size and three flags (malloc.c of glibc).
static size_t* header_of(void* block) { return (size_t*)block - 1; }

int main(int count, char** arguments) {
  static void* made[blocks];
  setvbuf(stdout, output, _IOFBF, sizeof output);
  mallopt(M_MMAP_THRESHOLD, sized);
  for (int i = 0; i < blocks; ++i) {
    made[i] = malloc(block_size);
    must(made[i] != NULL, "malloc");
    memset(made[i], 0x5a, touched);
  }
  for (long i = 0; count > 1 && i < strtol(arguments[1], NULL, 10); ++i) {
    pthread_t thread;
    must(pthread_create(&thread, NULL, churn, (void*)i) == 0, "pthread_create");
  }
  for (int i = 0; ready() && i < blocks; ++i) {
    size_t* const header = header_of(made[i]);
    const size_t size = *header & ~(size_t)7;
    *header = 0;
    tell("lost", header - 1, size, "block=%d", i);
  }
  return 0;
}
