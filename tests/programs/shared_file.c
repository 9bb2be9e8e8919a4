// Files mapped in two processes (shared and private), in one process twice, and in one process once.
#include "target.h"

static char* map_file(int fd, size_t size, int sharing) {
  char* const memory = map_alone(size, PROT_READ | PROT_WRITE, sharing, fd);
  must(memory != MAP_FAILED, "mmap");
  read_pages(memory, size);
  return memory;
}

int main(void) {
  const size_t page = page_size(), size = 64 * page;
  char* const shared = map_file(unnamed_file(size), size, MAP_SHARED);
  char* const own = map_file(unnamed_file(size), size, MAP_PRIVATE);
  const struct child child = fork_child();
  if (child.pid == 0) {
    read_pages(shared, size);
    read_pages(own, size);
    for (;;) child_ready(child);
  }
  wait_for_child(child);
  write_pages(own, 8 * page);
  tell("shared_in_two", shared, size, "%s", "");
  tell("private_in_two", own, size, "copied=%zu", 8 * page);
  tell("child", NULL, 0, "pid=%d", child.pid);

  const int fd = unnamed_file(size);
  tell("twice_a", map_file(fd, size, MAP_SHARED), size, "%s", "");
  tell("twice_b", map_file(fd, size, MAP_SHARED), size, "%s", "");
  tell("single", map_file(unnamed_file(size), size, MAP_SHARED), size, "%s", "");
  char* const copied = map_file(unnamed_file(size), size, MAP_PRIVATE);
  write_pages(copied, 8 * page);
  tell("single_private", copied, size, "copied=%zu", 8 * page);
  ready_until_end();
}
