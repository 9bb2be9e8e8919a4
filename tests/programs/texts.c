// Strings at known places: in writable memory, in memory that was never touched, behind a guard; and, after a step, in
// memory that is gone.
#include "target.h"

static void put_wide(char* to, const char* text) {
  for (; *text; ++text, to += 2) to[0] = *text, to[1] = 0;
}

int main(void) {
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
  ready_until_end();
}
