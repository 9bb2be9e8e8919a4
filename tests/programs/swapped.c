// Memory that was paged out: private anonymous and shared anonymous. Needs swap space.
#include "target.h"

enum { page_out = 21 };  // MADV_PAGEOUT

static void need_swap(void) {
  FILE* const info = fopen("/proc/meminfo", "r");
  must(info != NULL, "/proc/meminfo");
  char line[256];
  unsigned long free_kib = 0;
  while (fgets(line, sizeof line, info)) sscanf(line, "SwapFree: %lu", &free_kib);
  fclose(info);
  if (free_kib < 16 * 1024) skip("less than 16 MiB of free swap");
}

/// Freshly written pages may still be on their way to the lists that reclaim looks at: ask more than once.
static void force_out(char* memory, size_t size) {
  for (int tries = 0; tries < 10; ++tries) {
    if (madvise(memory, size, page_out) != 0) skip("no MADV_PAGEOUT: %s", strerror(errno));
    usleep(20000);
  }
}

int main(void) {
  need_swap();
  const size_t size = 256 * page_size();
  char* const anonymous = map_anonymous(size);
  char* const partly = map_anonymous(size);
  char* const shared = map_alone(size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
  must(shared != MAP_FAILED, "mmap");
  write_pages(anonymous, size);
  write_pages(partly, size);
  write_pages(shared, size);
  force_out(anonymous, size);
  force_out(partly, size);
  force_out(shared, size);
  write_pages(partly, size / 4);
  tell("swapped", anonymous, size, "%s", "");
  tell("swapped_partly", partly, size, "back=%zu", size / 4);
  tell("swapped_shared", shared, size, "%s", "");
  ready_until_end();
}
