// A statically linked program with a heap.
#include "target.h"

static char bss[64 * 4096];

int main(void) {
  char* const block = malloc(1000);
  must(block != NULL, "malloc");
  memset(block, 1, 1000);
  write_pages(bss, sizeof bss);
  tell("heap", block, 1000, "%s", "");
  tell("bss", bss, sizeof bss, "%s", "");
  tell("text", (void*)(uintptr_t)&main, 1, "%s", "");
  ready_until_end();
}
