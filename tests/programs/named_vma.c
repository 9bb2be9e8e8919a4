// Anonymous memory with a name (PR_SET_VMA_ANON_NAME, Linux 5.17 with CONFIG_ANON_VMA_NAME), private and shared.
#include "target.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

int main(void) {
  const size_t size = 16 * page_size();
  char* const own = map_anonymous(size);
  char* const shared = map_alone(size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
  must(shared != MAP_FAILED, "mmap");
  write_pages(own, size);
  write_pages(shared, size);
  if (prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, own, size, "private name") != 0)
    skip("no PR_SET_VMA_ANON_NAME: %s", strerror(errno));
  tell("named", own, size, "vma=private_name");
  if (prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, shared, size, "shared name") == 0)
    tell("named_shared", shared, size, "vma=shared_name");
  ready_until_end();
}
