// Locked memory: mlock, mlock2(MLOCK_ONFAULT), private and shared, beside memory that is not locked.
#include "target.h"

int main(void) {
  const size_t page = page_size(), size = 32 * page;
  char* const locked = map_anonymous(size);
  if (mlock(locked, size) != 0) skip("mlock: %s", strerror(errno));
  tell("locked", locked, size, "%s", "");

  char* const on_fault = map_anonymous(size);
  if (mlock2(on_fault, size, MLOCK_ONFAULT) != 0) skip("mlock2: %s", strerror(errno));
  write_pages(on_fault, 8 * page);
  tell("on_fault", on_fault, size, "touched=%zu", 8 * page);

  char* const shared = map_alone(size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
  must(shared != MAP_FAILED && mlock(shared, size) == 0, "shared mlock");
  tell("locked_shared", shared, size, "%s", "");

  char* const open = map_anonymous(size);
  write_pages(open, size);
  tell("not_locked", open, size, "%s", "");
  ready_until_end();
}
