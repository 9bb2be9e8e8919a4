// reservation [N]: 1 TiB of inaccessible address space, and 1 TiB of readable and writable of which N scattered pages
// were written.
#include "target.h"

int main(int argc, char** argv) {
  const size_t page = page_size(), size = 1024 * GIB;
  const size_t count = argc > 1 ? strtoul(argv[1], NULL, 0) : 1000;
  char* const closed = map_alone(size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
  if (closed == MAP_FAILED) skip("no 1 TiB of address space: %s", strerror(errno));
  char* const open = map_alone(size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
  if (open == MAP_FAILED) skip("no 1 TiB of memory without reserve: %s", strerror(errno));
  madvise(open, size, MADV_NOHUGEPAGE);
  const size_t stride = count ? size / count / page * page : size;
  for (size_t i = 0; i < count; ++i) *(volatile char*)(open + i * stride) = 1;
  tell("inaccessible", closed, size, "%s", "");
  tell("sparse", open, size, "touched=%zu", count * page);
  ready_until_end();
}
