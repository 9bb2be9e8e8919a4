// Pages with the same content that the kernel's same-page merging may merge. The merging needs time after `ready`.
#include "target.h"

int main(void) {
  const size_t page = page_size(), size = 200 * page;
  char* const same = map_anonymous(size);
  char* const different = map_anonymous(size);
  memset(same, 'k', size);
  for (size_t at = 0; at < size; at += page) *(size_t*)(different + at) = at + 1;
  if (madvise(same, size, MADV_MERGEABLE) != 0) skip("no MADV_MERGEABLE: %s", strerror(errno));
  must(madvise(different, size, MADV_MERGEABLE) == 0, "madvise");
  tell("same", same, size, "%s", "");
  tell("different", different, size, "%s", "");
  ready_until_end();
}
