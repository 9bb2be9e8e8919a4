// Pages that the kernel may take when it needs memory (MADV_FREE), in a mapping and in blocks of malloc.
#include "target.h"

int main(void) {
  const size_t size = 1024 * page_size();
  char* const memory = map_anonymous(size);
  write_pages(memory, size);
  char* const block = malloc(8 * MIB);
  must(block != NULL, "malloc");
  write_pages(block, 8 * MIB);
  char* const first = (char*)(((uintptr_t)block + page_size() - 1) & ~(uintptr_t)(page_size() - 1));
  must(madvise(memory, size, MADV_FREE) == 0 && madvise(first, 4 * MIB, MADV_FREE) == 0, "madvise");
  tell("free", memory, size, "%s", "");
  tell("free_in_block", first, 4 * MIB, "%s", "");
  ready_until_end();
}
