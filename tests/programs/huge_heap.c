// huge_heap: heaps in huge pages (to be run with GLIBC_TUNABLES=glibc.malloc.hugetlb=1), in the main arena and in that of
// a thread: first blocks that are all in use, then blocks of which all are freed but one in each 2 MiB, then an end that
// was never used. The program tells where its blocks in use lie.
#include "target.h"

#include <malloc.h>
#include <pthread.h>

enum { block_size = 4000, full_blocks = 1200, sparse_blocks = 5000 };  // 4.6 and 19.1 MiB

static char output[1 << 16];
static pthread_barrier_t turn;

static char* make(void) {
  char* const block = malloc(block_size);
  must(block != NULL, "malloc");
  memset(block, 0x5a, block_size);
  return block;
}

static void fill(const char* name, int madvises) {
  static __thread char *full[full_blocks], *sparse[sparse_blocks];
  char* const room = malloc(30 * MIB);  // the heap grows by it in one piece, before any of it is used
  must(room != NULL, "malloc");
  const uintptr_t begin = (uintptr_t)room;
  free(room);
  // glibc asks for huge pages for the main arena alone when a heap grows in one piece (seen with 2.36).
  const uintptr_t aligned = (begin + 2 * MIB - 1) / (2 * MIB) * (2 * MIB);
  if (madvises) madvise((void*)aligned, 26 * MIB, MADV_HUGEPAGE);
  tell("touched", (void*)(begin + 30 * MIB), 16, "%s", "");  // the header of what is left
  for (size_t i = 0; i < full_blocks; ++i) full[i] = make();
  for (size_t i = 0; i < sparse_blocks; ++i) sparse[i] = make();
  tell(name, full[0], (size_t)(full[full_blocks - 1] + block_size - full[0]), "%s", "");
  tell("touched", full[0], (size_t)(sparse[sparse_blocks - 1] + block_size - full[0]), "%s", "");
  uintptr_t window = 0;
  for (size_t i = 0; i < sparse_blocks; ++i) {
    const uintptr_t middle = ((uintptr_t)sparse[i] + MIB) / (2 * MIB);
    if (middle != window)
      tell("kept", sparse[i], block_size, "%s", "");
    else
      free(sparse[i]);
    window = middle;
  }
}

static void* work(void* nothing) {
  fill("full", getenv("GLIBC_TUNABLES") != NULL);
  pthread_barrier_wait(&turn);
  for (;;) pause();
  return nothing;
}

int main(void) {
  setvbuf(stdout, output, _IOFBF, sizeof output);
  must(mallopt(M_TRIM_THRESHOLD, 1 << 30) == 1, "mallopt");
  must(mallopt(M_MMAP_THRESHOLD, 1 << 25) == 1, "mallopt");
  must(mallopt(M_TOP_PAD, 4 << 20) == 1, "mallopt");
  pthread_barrier_init(&turn, NULL, 2);
  pthread_t thread;
  must(pthread_create(&thread, NULL, work, NULL) == 0, "pthread_create");
  pthread_barrier_wait(&turn);
  fill("full", 0);
  ready_until_end();
  _exit(0);
}
