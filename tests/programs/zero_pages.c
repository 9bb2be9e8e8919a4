// Anonymous memory that was only read: the kernel maps its shared zero page, which is not in Rss.
#include "target.h"

int main(void) {
  const size_t size = 64 * page_size(), written = 8 * page_size();
  char* const read_only = map_anonymous(size);
  read_pages(read_only, size);
  tell("zero_4k", read_only, size, "%s", "");

  char* const mixed = map_anonymous(size);
  read_pages(mixed, size);
  write_pages(mixed, written);
  tell("zero_mixed", mixed, size, "written=%zu", written);

  const size_t huge = 4 * MIB;
  char* const big = map_alone(huge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  must(big != MAP_FAILED, "mmap");
  const int advised = madvise(big, huge, MADV_HUGEPAGE) == 0;
  read_pages(big, huge / 2);
  tell("zero_huge", big, huge, "read=%zu advised=%d", huge / 2, advised);
  ready_until_end();
}
