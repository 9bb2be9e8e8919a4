// Guards: pages made inaccessible by MADV_GUARD_INSTALL (Linux 6.13), and by mprotect(PROT_NONE).
#include "target.h"

enum { guard_install = 102 };  // MADV_GUARD_INSTALL

int main(void) {
  const size_t page = page_size(), size = 64 * page;
  char* const guarded = map_anonymous(size);
  write_pages(guarded, size);
  if (madvise(guarded + 16 * page, 16 * page, guard_install) != 0) skip("no MADV_GUARD_INSTALL: %s", strerror(errno));
  tell("guarded", guarded, size, "written=%zu", size - 16 * page);
  tell("guard", guarded + 16 * page, 16 * page, "%s", "");

  char* const untouched = map_anonymous(size);
  must(madvise(untouched, 4 * page, guard_install) == 0, "madvise");
  tell("untouched", untouched, size, "%s", "");
  tell("untouched_guard", untouched, 4 * page, "%s", "");

  char* const classic = map_anonymous(size);
  must(mprotect(classic, page, PROT_NONE) == 0, "mprotect");
  write_pages(classic + page, size - page);
  tell("prot_none_guard", classic, page, "%s", "");
  tell("behind_prot_none", classic + page, size - page, "%s", "");
  ready_until_end();
}
