// floor PID: what the reads cost that every capture must make, with nothing around them: /proc/PID/maps, and
// /proc/PID/pagemap of every mapped page, in pieces of 64 KiB.
#include "target.h"

#include <fcntl.h>

static char buffer[64 * 1024];
static uint64_t entries[8192];

static int open_of(const char* pid, const char* name) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%s/%s", pid, name);
  const int fd = open(path, O_RDONLY);
  must(fd >= 0, path);
  return fd;
}

static unsigned long count_present(int pagemap, unsigned long begin, unsigned long end) {
  unsigned long present = 0;
  for (unsigned long page = begin / 4096; page < end / 4096;) {
    const unsigned long left = end / 4096 - page, ask = left < 8192 ? left : 8192;
    const ssize_t got = pread(pagemap, entries, ask * 8, (off_t)(page * 8));
    if (got <= 0) break;
    for (ssize_t i = 0; i < got / 8; ++i) present += entries[i] >> 63;
    page += (unsigned long)got / 8;
  }
  return present;
}

int main(int argc, char** argv) {
  must(argc > 1, "floor PID");
  const int maps = open_of(argv[1], "maps"), pagemap = open_of(argv[1], "pagemap");
  unsigned long mappings = 0, present = 0;
  size_t held = 0;
  for (ssize_t got; (got = read(maps, buffer + held, sizeof buffer - held)) > 0;) {
    char* const stop = buffer + held + got;
    char* line = buffer;
    for (char* end; (end = memchr(line, '\n', (size_t)(stop - line))); line = end + 1) {
      char* dash;
      const unsigned long begin = strtoul(line, &dash, 16);
      present += count_present(pagemap, begin, strtoul(dash + 1, NULL, 16));
      ++mappings;
    }
    held = (size_t)(stop - line);
    memmove(buffer, line, held);
  }
  printf("%lu mappings, %lu pages present\n", mappings, present);
  return 0;
}
