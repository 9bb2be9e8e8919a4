// big_pages SIZE[K|M|G] [mapper]: that much memory in 4 KiB pages, all written. With `mapper`, each step from the second on
// says how long a thread waited for the kernel: see waits.h.
#include "target.h"
#include "waits.h"

static size_t parse_size(const char* text) {
  char* end;
  const size_t number = strtoul(text, &end, 0);
  return number * (*end == 'G' ? GIB : *end == 'M' ? MIB : *end == 'K' ? KIB : 1);
}

static void need_memory(size_t size) {
  FILE* const info = fopen("/proc/meminfo", "r");
  must(info != NULL, "/proc/meminfo");
  char line[256];
  unsigned long available_kib = 0;
  while (fgets(line, sizeof line, info)) sscanf(line, "MemAvailable: %lu", &available_kib);
  fclose(info);
  if (available_kib / 8 * 7 < size / 1024) skip("%lu MiB of memory are not enough for this size", available_kib / 1024);
}

int main(int argc, char** argv) {
  const size_t size = parse_size(argc > 1 ? argv[1] : "64M");
  need_memory(size);
  char* const memory = map_anonymous(size);
  write_pages(memory, size);
  tell("pages", memory, size, "%s", "");
  if (!ready() || argc < 3) return 0;
  measure_waits();
}
