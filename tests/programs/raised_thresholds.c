// raised_thresholds [ask]: one block of 20 MiB is freed, which raises malloc's thresholds for good; then 16 MiB of
// small blocks are freed that would have gone back without that. With `ask` the thresholds are set with mallopt()
// instead.
#include "target.h"

#include <malloc.h>

enum { count = 16 << 10 };

int main(int argc, char** argv) {
  static void* blocks[count];
  (void)argv;
  if (argc > 1) {
    mallopt(M_TRIM_THRESHOLD, 512 << 20);
  } else {
    char* const large = malloc(20 * MIB);
    must(large != NULL, "malloc");
    write_pages(large, 20 * MIB);
    free(large);
  }
  for (int i = 0; i < count; ++i) memset(blocks[i] = malloc(1000), 1, 1000);
  for (int i = count; i-- > 0;) free(blocks[i]);
  ready_until_end();
  return 0;
}
