// Transparent huge pages: whole, partly unmapped, split by mprotect, and shared with a forked child.
// Step 1: the child drops a part of one huge page; from then on pagemap's bit 56 follows the first page of it.
#include "target.h"

static char* map_huge(size_t size) {
  char* const memory = map_alone(size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  must(memory != MAP_FAILED, "mmap");
  if (madvise(memory, size, MADV_HUGEPAGE) != 0) skip("no MADV_HUGEPAGE: %s", strerror(errno));
  write_pages(memory, size);
  return memory;
}

int main(void) {
  const size_t page = page_size(), size = 4 * MIB;
  char* const whole = map_huge(size);
  tell("whole", whole, size, "%s", "");

  char* const holed = map_huge(size);
  must(munmap(holed + MIB, MIB) == 0, "munmap");
  tell("before_hole", holed, MIB, "%s", "");
  tell("behind_hole", holed + 2 * MIB, size - 2 * MIB, "%s", "");

  char* const split = map_huge(size);
  must(mprotect(split + 64 * page, 64 * page, PROT_READ) == 0, "mprotect");
  tell("split", split, size, "%s", "");

  char* const forked = map_huge(size);
  char* const dropped = map_huge(size);
  const struct child child = fork_child();
  if (child.pid == 0) {
    munmap(whole, size);
    munmap(holed, size);
    munmap(split, size);
    child_ready(child);
    madvise(dropped + 10 * page, 100 * page, MADV_DONTNEED);
    for (;;) child_ready(child);
  }
  wait_for_child(child);
  tell("forked", forked, size, "%s", "");
  tell("dropped", dropped, size, "%s", "");
  tell("child", NULL, 0, "pid=%d", child.pid);
  if (!ready()) return 0;
  step_child(child);
  tell("dropped_in_child", dropped + 10 * page, 100 * page, "%s", "");
  ready_until_end();
}
