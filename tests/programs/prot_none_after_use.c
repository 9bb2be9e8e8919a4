// Memory that was written and then made inaccessible keeps its pages.
#include "target.h"

int main(void) {
  const size_t size = 64 * page_size();
  char* const used = map_anonymous(size);
  write_pages(used, size);
  must(mprotect(used, size, PROT_NONE) == 0, "mprotect");
  tell("used", used, size, "%s", "");

  char* const half = map_anonymous(size);
  write_pages(half, size);
  must(mprotect(half + size / 2, size / 2, PROT_NONE) == 0, "mprotect");
  tell("half_open", half, size / 2, "%s", "");
  tell("half_closed", half + size / 2, size / 2, "%s", "");

  char* const never = map_alone(size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  must(never != MAP_FAILED, "mmap");
  tell("never_used", never, size, "%s", "");
  ready_until_end();
}
