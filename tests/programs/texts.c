// texts [lines]: strings at known places: in writable memory, before a guard, and beside memory that was never touched.
// With `lines`, also 64 MiB of numbered lines, of which a step unmaps the second half, and one more string behind them.
#include "target.h"

static void put_wide(char* to, const char* text) {
  for (; *text; ++text, to += 2) to[0] = *text, to[1] = 0;
}

static void fill_with_lines(char* to, size_t size) {
  for (size_t i = 0; i < size / 64; ++i) snprintf(to + i * 64, 64, "line %zu of many in vmscan", i);
}

int main(int argc, char** argv) {
  (void)argv;
  const size_t size = 16 * page_size();
  char* const texts = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  must(texts != MAP_FAILED, "mmap");
  must(mprotect(texts + 15 * page_size(), page_size(), PROT_NONE) == 0, "mprotect");
  strcpy(texts + 64, "plain text of vmscan");
  strcpy(texts + 256, "J\xC3\xBCrgen of vmscan");
  put_wide(texts + 513, "wide text of vmscan");
  strcpy(texts + page_size() - 6, "across pages of vmscan");
  strcpy(texts + 3 * page_size(), "\tescape \x1b[31m of vmscan");
  for (int i = 0; i < 5; ++i) strcpy(texts + 4 * page_size() + (size_t)i * 64, "five times of vmscan");
  tell("texts", texts, size, "bytes=%zu", size);
  char* const untouched = mmap(NULL, 256 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  must(untouched != MAP_FAILED, "mmap");
  tell("untouched", untouched, 256 * MIB, "bytes=%zu", 256 * MIB);
  if (argc > 1) {
    char* const lines = map_anonymous(64 * MIB);
    char* const behind = map_anonymous(page_size());
    fill_with_lines(lines, 64 * MIB);
    strcpy(behind, "behind the lines of vmscan");
    tell("lines", lines, 64 * MIB, "count=%zu", 64 * MIB / 64);
    tell("behind", behind, page_size(), "%s", "");
    if (ready()) must(munmap(lines + 32 * MIB, 32 * MIB) == 0, "munmap");
  }
  ready_until_end();
}
