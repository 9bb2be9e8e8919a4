// bump_musl_static [mapped]: a static musl program that never frees, so that the linker leaves mallocng out. It allocates
// 2,000 blocks of 200 bytes and one of 1,000,000, and touches them all; with `mapped`, something stands in the way of brk
// after the first half. Each step allocates 1,000 blocks of 100 bytes more. `used` is from its first block to the end of
// its last one, where these lie in one area.
#include "target.h"

enum { blocks = 2000, block_size = 200, large = 1000000, step_blocks = 1000, step_size = 100 };

static char *first, *last_end;
static int made;

static char* allocate(size_t size) {
  char* const block = malloc(size);
  must(block != NULL, "malloc");
  memset(block, 0x5a, size);
  last_end = block + size;
  ++made;
  return block;
}

static void stand_in_the_way(void) {
  char* const end = (char*)(((uintptr_t)sbrk(0) + page_size() - 1) / page_size() * page_size());
  must(mmap(end, page_size(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == end, "mmap");
}

int main(int count, char** arguments) {
  first = allocate(block_size);
  for (int i = 1; i < blocks / 2; ++i) allocate(block_size);
  if (count > 1 && strcmp(arguments[1], "mapped") == 0) stand_in_the_way();
  for (int i = 0; i < blocks / 2; ++i) allocate(block_size);
  if (count == 1) allocate(large);
  for (;;) {
    tell("used", first, (size_t)(last_end - first), "blocks=%d", made);
    tell("last", last_end - 1, 1, "blocks=%d", made);
    if (!ready()) return 0;
    for (int i = 0; i < step_blocks; ++i) allocate(step_size);
  }
}
