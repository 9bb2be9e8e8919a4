// many_mappings [N [protections|holes]]: N mappings of one written page each, told apart by alternating protections
// (default) or by holes. Fewer when vm.max_map_count does not allow N; the line says how many were made.
#include "target.h"

static size_t allowed(size_t wanted) {
  unsigned long limit = 65530;
  FILE* const file = fopen("/proc/sys/vm/max_map_count", "r");
  if (file) {
    if (fscanf(file, "%lu", &limit) != 1) limit = 65530;
    fclose(file);
  }
  const size_t most = limit > 200 ? limit - 200 : 1;
  return wanted < most ? wanted : most;
}

int main(int argc, char** argv) {
  const size_t page = page_size();
  const size_t count = allowed(argc > 1 ? strtoul(argv[1], NULL, 0) : 60000);
  const int holes = argc > 2 && strcmp(argv[2], "holes") == 0;
  const size_t size = count * page * (holes ? 2 : 1);
  char* const memory = map_anonymous(size);
  write_pages(memory, size);
  for (size_t i = 0; i < count; ++i) {
    if (holes) must(munmap(memory + (2 * i + 1) * page, page) == 0, "munmap");
    else if (i % 2) must(mprotect(memory + i * page, page, PROT_READ) == 0, "mprotect");
  }
  tell("mappings", memory, size, "count=%zu present=%zu", count, count * page);
  ready_until_end();
}
