// Maps, touches, protects and unmaps at random, all the time, until its input ends.
#include "target.h"

#include <poll.h>

enum { slots = 256 };

static unsigned long long state = 88172645463325252ull;
static size_t random_below(size_t limit) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (size_t)(state % limit);
}

int main(void) {
  static struct {
    char* begin;
    size_t size;
  } maps[slots];
  const size_t page = page_size();
  struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
  printf("ready\n");
  fflush(stdout);
  for (unsigned long turn = 0;; ++turn) {
    if (turn % 256 == 0 && poll(&input, 1, 0) > 0) return 0;
    const size_t slot = random_below(slots);
    if (maps[slot].begin) {
      munmap(maps[slot].begin, maps[slot].size);
      maps[slot].begin = NULL;
      continue;
    }
    const size_t size = page * (1 + random_below(64));
    char* const memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(memory != MAP_FAILED, "mmap");
    for (size_t at = 0; at < size; at += page * (1 + random_below(8))) memory[at] = 1;
    if (random_below(2)) mprotect(memory + page * random_below(size / page), page, PROT_READ);
    maps[slot].begin = memory;
    maps[slot].size = size;
  }
}
