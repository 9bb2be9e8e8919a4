// What a middling program looks like: about 450 mappings and 200 MiB in RAM. 100 files of 512 KiB in four mappings of
// different rights each, as a loader lays libraries out, and 24 areas of anonymous memory with a guard each.
#include "target.h"

enum { libraries = 100, areas = 24 };

static void map_library(int fd, size_t at) {
  static const struct {
    size_t offset, size;
    int protection;
  } parts[] = {{0, 64 * KIB, PROT_READ},
               {64 * KIB, 256 * KIB, PROT_READ | PROT_EXEC},
               {320 * KIB, 128 * KIB, PROT_READ},
               {448 * KIB, 64 * KIB, PROT_READ | PROT_WRITE}};
  char* const base = mmap(NULL, 512 * KIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  must(base != MAP_FAILED, "mmap");
  for (size_t i = 0; i < sizeof parts / sizeof *parts; ++i) {
    char* const part = mmap(base + parts[i].offset, parts[i].size, parts[i].protection, MAP_PRIVATE | MAP_FIXED, fd,
                            (off_t)(at + parts[i].offset));
    must(part != MAP_FAILED, "mmap");
    if (parts[i].protection & PROT_WRITE) write_pages(part, parts[i].size);
    else read_pages(part, parts[i].size);
  }
}

int main(void) {
  const int fd = unnamed_file(libraries * 512 * KIB);
  for (size_t i = 0; i < libraries; ++i) map_library(fd, i * 512 * KIB);
  const size_t size = 150 * MIB / areas / page_size() * page_size();
  for (int i = 0; i < areas; ++i) {
    char* const memory = mmap(NULL, size + 64 * KIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(memory != MAP_FAILED && mprotect(memory + 64 * KIB, size, PROT_READ | PROT_WRITE) == 0, "mmap");
    write_pages(memory + 64 * KIB, size);
  }
  ready_until_end();
}
