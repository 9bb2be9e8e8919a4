// A fork and its copy-on-write pages. Step 1: the child writes a quarter of them. Step 2: the child ends.
#include "target.h"

int main(void) {
  const size_t size = 64 * page_size(), written = 16 * page_size();
  char* const memory = map_anonymous(size);
  write_pages(memory, size);
  const struct child child = fork_child();
  if (child.pid == 0) {
    child_ready(child);
    write_pages(memory, written);
    for (;;) child_ready(child);
  }
  wait_for_child(child);
  tell("forked", memory, size, "%s", "");
  tell("child", NULL, 0, "pid=%d", child.pid);
  if (!ready()) return 0;
  step_child(child);
  tell("written", memory, written, "%s", "");
  if (!ready()) return 0;
  end_child(child);
  ready_until_end();
}
