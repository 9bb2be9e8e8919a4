// floor PID: what the reads cost that every capture must make, with nothing around them: /proc/PID/maps, and
// /proc/PID/pagemap of every mapped page, in pieces of 64 KiB. A mapping that is larger than all that is in RAM is
// first scanned for its pages (PAGEMAP_SCAN, Linux 6.7), and only those are read.
#include "target.h"

#include <fcntl.h>
#include <sys/ioctl.h>

enum { is_present = 1 << 3, is_swapped = 1 << 4, is_huge = 1 << 6, found_at_most = 4096 };

struct page_range {  // struct page_region
  uint64_t begin, end, categories;
};
struct scan {  // struct pm_scan_arg
  uint64_t size, flags, begin, end, walk_end, vector, vector_length, max_pages;
  uint64_t inverted, mask, any_of, returned;
};
#define PAGEMAP_SCAN_REQUEST _IOWR('f', 16, struct scan)

static char buffer[64 * 1024];
static uint64_t entries[8192];
static struct page_range found[found_at_most];

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

/// Of a sparse mapping. All of it is read where the kernel cannot scan.
static unsigned long scan_present(int pagemap, unsigned long begin, unsigned long end) {
  unsigned long present = 0;
  for (unsigned long at = begin; at < end;) {
    struct scan scan = {.size = sizeof scan, .begin = at, .end = end, .vector = (uintptr_t)found};
    scan.vector_length = found_at_most;
    scan.any_of = is_present | is_swapped;
    scan.returned = is_present | is_swapped | is_huge;
    const long count = ioctl(pagemap, PAGEMAP_SCAN_REQUEST, &scan);
    if (count < 0) return present + count_present(pagemap, at, end);
    for (long i = 0; i < count; ++i) {
      const int huge = (found[i].categories & is_huge) != 0;  // one entry tells of all its pages
      present += count_present(pagemap, found[i].begin, huge ? found[i].begin + 4096 : found[i].end);
    }
    at = count < found_at_most ? end : scan.walk_end;
  }
  return present;
}

static unsigned long resident_bytes(const char* pid) {
  char text[128] = "";
  unsigned long pages = 0;
  const ssize_t got = read(open_of(pid, "statm"), text, sizeof text - 1);
  if (got <= 0 || sscanf(text, "%*u %lu", &pages) != 1) return 0;
  return pages * 4096;
}

int main(int argc, char** argv) {
  must(argc > 1, "floor PID");
  const int maps = open_of(argv[1], "maps"), pagemap = open_of(argv[1], "pagemap");
  const unsigned long resident = resident_bytes(argv[1]);
  unsigned long mappings = 0, present = 0;
  size_t held = 0;
  for (ssize_t got; (got = read(maps, buffer + held, sizeof buffer - held)) > 0;) {
    char* const stop = buffer + held + got;
    char* line = buffer;
    for (char* end; (end = memchr(line, '\n', (size_t)(stop - line))); line = end + 1) {
      char* dash;
      const unsigned long begin = strtoul(line, &dash, 16);
      const unsigned long end_of = strtoul(dash + 1, NULL, 16);
      present += (end_of - begin > resident ? scan_present : count_present)(pagemap, begin, end_of);
      ++mappings;
    }
    held = (size_t)(stop - line);
    memmove(buffer, line, held);
  }
  printf("%lu mappings, %lu pages present\n", mappings, present);
  return 0;
}
