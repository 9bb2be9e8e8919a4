// blocks [THREADS [BLOCKS [FILE [mapper]]]]: threads with BLOCKS allocations each, of mixed sizes, of which a third is freed
// again in no order. It keeps its own record of what lives, outside of malloc, and says after the step how many blocks there
// are of each size (`size`: what malloc_usable_size says, and a word), what glibc counts (mallinfo2; malloc_info goes into
// FILE), and where one of them is. With `mapper`, each later step says how long a thread waited for the kernel: see waits.h.
#include "target.h"
#include "waits.h"

#include <malloc.h>
#include <pthread.h>

enum { largest = 4096, most_threads = 64 };

static unsigned threads = 4;
static size_t blocks = 20000;
static pthread_barrier_t turn;
static void** kept;  // blocks of all threads
static char output[1 << 16], info_buffer[1 << 16];
static FILE* info_file;  // with a buffer of its own: writing it allocates nothing

static size_t next_random(unsigned long long* state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return (size_t)(*state >> 16);
}

static size_t some_size(unsigned long long* state) {
  const size_t r = next_random(state);
  switch (r % 16) {
    case 0: return 1 + (r >> 8) % largest;
    case 1: return 512 + (r >> 8) % 512;
    default: return 1 + (r >> 8) % 200;
  }
}

static void fill(size_t row) {
  void** const mine = kept + row * blocks;
  unsigned long long state = 88172645463325252ull + row;
  for (size_t i = 0; i < blocks; ++i) {
    mine[i] = malloc(some_size(&state));
    must(mine[i] != NULL, "malloc");
    memset(mine[i], 0x5a, 1);
  }
  for (size_t i = 0; i < blocks / 3; ++i) {
    const size_t which = next_random(&state) % blocks;
    free(mine[which]);
    mine[which] = NULL;
  }
}

static void* work(void* row) {
  free(malloc(100));  // so that it has its arena and its cache
  pthread_barrier_wait(&turn);
  pthread_barrier_wait(&turn);
  fill((size_t)(uintptr_t)row);
  pthread_barrier_wait(&turn);
  for (;;) pause();
  return NULL;
}

static void tell_truth(size_t** counts) {
  for (size_t i = 0; i < threads * blocks; ++i)
    if (kept[i] != NULL) ++(*counts)[malloc_usable_size(kept[i]) + sizeof(size_t)];
  for (size_t size = 0; size < 2 * largest; ++size)
    if ((*counts)[size]) tell("size", 0, 0, "size=%zu count=%zu", size, (*counts)[size]);
#ifdef __GLIBC__
  const struct mallinfo2 info = mallinfo2();
  tell("info", 0, 0, "arena=%zu uordblks=%zu fordblks=%zu hblks=%zu hblkhd=%zu", info.arena, info.uordblks, info.fordblks,
       info.hblks, info.hblkhd);
  if (info_file != NULL) must(malloc_info(0, info_file) == 0 && fflush(info_file) == 0, "malloc_info");
#endif
  for (size_t i = 0; i < threads * blocks; ++i)
    if (kept[i] != NULL) {
      tell("block", kept[i], malloc_usable_size(kept[i]), "%s", "");
      break;
    }
}

int main(int argc, char** argv) {
  setvbuf(stdout, output, _IOFBF, sizeof output);
  if (argc > 1) threads = (unsigned)strtoul(argv[1], NULL, 0);
  if (argc > 2) blocks = strtoul(argv[2], NULL, 0);
  must(threads > 0 && threads <= most_threads, "threads");
  if (argc > 3) {
    info_file = fopen(argv[3], "w");
    must(info_file != NULL && setvbuf(info_file, info_buffer, _IOFBF, sizeof info_buffer) == 0, argv[3]);
  }
  kept = mmap(NULL, threads * blocks * sizeof *kept, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  size_t* counts = mmap(NULL, 4 * largest * sizeof *counts, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  must(kept != MAP_FAILED && counts != MAP_FAILED, "mmap");
  pthread_barrier_init(&turn, NULL, threads);
  for (uintptr_t i = 1; i < threads; ++i) {
    pthread_t thread;
    must(pthread_create(&thread, NULL, work, (void*)i) == 0, "pthread_create");
  }
  void* aligned = NULL;
  must(posix_memalign(&aligned, 1 * MIB, 3 * MIB) == 0, "posix_memalign");
  char* const big = malloc(2 * MIB);
  must(big != NULL, "malloc");
  free(malloc(100));
  if (threads > 1) pthread_barrier_wait(&turn);
  tell("mapped", big, 2 * MIB, "%s", "");
  tell("mapped", aligned, 3 * MIB, "%s", "");
  if (!ready()) _exit(0);
  if (threads > 1) pthread_barrier_wait(&turn);
  fill(0);
  if (threads > 1) pthread_barrier_wait(&turn);
  tell_truth(&counts);
  if (argc > 4 && ready()) measure_waits();
  ready_until_end();
  _exit(0);
}
