// odd_heaps MODE [SEED]: a heap of malloc in an unusual shape, made by the step:
//   fragmented  blocks of all sizes, freed and made again in no order, until hardly a bin is empty
//   pieces      the same, but brk is blocked after the first blocks: the main arena goes on in mappings
//   split       blocks with mappings of their own, each with other rights, a lock or advice for a part of it
//   split_heap  the same for parts of the main arena
// It says after the step how many blocks it holds (`held`: count), outside of malloc, and what glibc counts (`info`).
#include "target.h"

#include <malloc.h>

enum { slots = 8000, rounds = 80000, parts = 7 };

static char output[1 << 14];
static void* kept[slots];
static size_t held;

static unsigned next_random(unsigned* state) {
  *state = *state * 1664525u + 1013904223u;
  return *state >> 8;
}

static void* make(size_t size) {
  char* const block = malloc(size);
  must(block != NULL, "malloc");
  memset(block, 1, size);
  ++held;
  return block;
}

static void churn(unsigned seed) {
  for (int i = 0; i < rounds; ++i) {
    void** const slot = &kept[next_random(&seed) % slots];
    held -= *slot != NULL;
    free(*slot);
    *slot = NULL;
    if (next_random(&seed) % 3 == 0) continue;
    *slot = make(1 + next_random(&seed) % (next_random(&seed) % 20 == 0 ? 60000 : 1200));
  }
}

static void block_brk(void) {
  const uintptr_t page = page_size(), end = ((uintptr_t)sbrk(0) + page - 1) / page * page;
  must(mmap((void*)end, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != MAP_FAILED, "mmap");
}

/// Part number `how` of parts in the middle of a block of at least 6 pages.
static void split(void* block, int how) {
  const uintptr_t page = page_size();
  char* const at = (char*)(((uintptr_t)block + page - 1) / page * page + page);
  switch (how) {
    case 0: must(madvise(at, 2 * page, MADV_DONTFORK) == 0, "DONTFORK"); break;
    case 1: must(mprotect(at, page, PROT_READ) == 0, "mprotect"); break;
    case 2: must(mprotect(at, page, PROT_NONE) == 0, "mprotect"); break;
    case 3: must(madvise(at, 2 * page, MADV_DONTDUMP) == 0, "DONTDUMP"); break;
    case 4: madvise(at, 2 * page, MADV_HUGEPAGE); break;
    case 5: madvise(at, 2 * page, MADV_MERGEABLE); break;
    default: mlock(at, page); break;
  }
}

int main(int argc, char** argv) {
  setvbuf(stdout, output, _IOFBF, sizeof output);
  const char* const mode = argc > 1 ? argv[1] : "fragmented";
  const unsigned seed = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 0) : 1;
  free(malloc(100));
  if (!ready()) return 0;
  if (strcmp(mode, "pieces") == 0) {
    make(1000);
    block_brk();
  }
  if (strncmp(mode, "split", 5) != 0) churn(seed);
  for (int i = 0; strncmp(mode, "split", 5) == 0 && i < parts; ++i) {
    void* const block = make(strcmp(mode, "split") == 0 ? MIB : 100 * KIB);
    tell("part", block, 1, "%s", "");
    split(block, i);
  }
  tell("held", 0, 0, "count=%zu", held);
  const struct mallinfo2 info = mallinfo2();
  tell("info", 0, 0, "arena=%zu uordblks=%zu fordblks=%zu hblks=%zu hblkhd=%zu", info.arena, info.uordblks, info.fordblks,
       info.hblks, info.hblkhd);
  ready_until_end();
  _exit(0);
}
