// Memory that a userfaultfd(2) is to fill, and nobody answers: the end of its arguments, too. The first argument must
// be longer than a few pages. Pages that were filled before can be read; who touches another one waits for ever.
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "target.h"

static void leave_to_nobody(int faults, char* begin, size_t size) {
  struct uffdio_register range = {
      .range = {.start = (uintptr_t)begin, .len = size}, .mode = UFFDIO_REGISTER_MODE_MISSING, .ioctls = 0};
  if (ioctl(faults, UFFDIO_REGISTER, &range) != 0) skip("UFFDIO_REGISTER: %s", strerror(errno));
}

int main(int count, char** arguments) {
  must(count == 2 && strlen(arguments[1]) > 8 * page_size(), "a long argument");
  const int faults = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
  if (faults < 0) skip("userfaultfd: %s", strerror(errno));
  struct uffdio_api api = {.api = UFFD_API, .features = 0, .ioctls = 0};
  must(ioctl(faults, UFFDIO_API, &api) == 0, "UFFDIO_API");
  const size_t size = 256 * page_size(), filled = 16 * page_size();
  char* const memory = map_anonymous(size);
  write_pages(memory, filled);
  leave_to_nobody(faults, memory, size);
  char* const shared = map_alone(size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
  must(shared != MAP_FAILED, "mmap");
  write_pages(shared, filled);
  leave_to_nobody(faults, shared, size);
  const uintptr_t first = ((uintptr_t)arguments[1] + page_size() - 1) & ~(uintptr_t)(page_size() - 1);
  leave_to_nobody(faults, (char*)first, 4 * page_size());
  must(madvise((char*)first, 4 * page_size(), MADV_DONTNEED) == 0, "madvise");
  tell("unfilled", memory, size, "filled=%zu", filled);
  tell("unfilled_shared", shared, size, "filled=%zu", filled);
  ready_until_end();
}
