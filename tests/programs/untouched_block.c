// untouched_block: a heap with a block of 200 MiB that the program has never touched, and blocks in use around it.
#include "target.h"

#include <malloc.h>

int main(void) {
  must(mallopt(M_MMAP_MAX, 0) == 1, "mallopt");  // all of it in the main arena
  for (int side = 0; side < 2; ++side) {
    for (int i = 0; i < 100000; ++i) {
      char* const block = malloc(300);
      must(block != NULL, "malloc");
      memset(block, 0x5a, 300);
    }
    if (side == 0) {
      char* const untouched = malloc(200 * MIB);
      must(untouched != NULL, "malloc");
      tell("untouched", untouched, 200 * MIB, "%s", "");
    }
  }
  ready_until_end();
  return 0;
}
