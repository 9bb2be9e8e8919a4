// Most of malloc's heap, a block with a mapping of its own and the arguments swapped out. Needs swap space. The blocks
// have headers in swapped pages, and none of them is freed.
#include "target.h"

enum { page_out = 21, blocks = 20000, block_bytes = 1500 };  // MADV_PAGEOUT

static void force_out(char* begin, char* end) {
  char* const first = (char*)(((uintptr_t)begin + page_size() - 1) & ~(uintptr_t)(page_size() - 1));
  const size_t size = (size_t)(end - first) & ~(page_size() - 1);
  for (int tries = 0; tries < 10; ++tries) {
    if (madvise(first, size, page_out) != 0) skip("no MADV_PAGEOUT: %s", strerror(errno));
    usleep(20000);
  }
  tell("swapped", first, size, "%s", "");
}

int main(int count, char** arguments) {
  static char* block[blocks];
  for (int i = 0; i < blocks; ++i) {
    block[i] = malloc(block_bytes);
    must(block[i] != NULL, "malloc");
    for (int j = 0; j < block_bytes; ++j) block[i][j] = (char)rand();
  }
  char* const large = malloc(16 * MIB);
  must(large != NULL, "malloc");
  for (size_t i = 0; i < 16 * MIB; ++i) large[i] = (char)rand();
  force_out(block[100], block[blocks - 100]);
  force_out(large - 16, large + 8 * MIB);
  if (count > 1) force_out(arguments[1], arguments[1] + strlen(arguments[1]));
  ready_until_end();
}
