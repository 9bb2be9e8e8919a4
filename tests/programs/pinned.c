// pinned [BYTES]: memory that io_uring keeps in place (4 MiB): nothing is locked, but VmPin counts it.
#include "target.h"

#include <linux/io_uring.h>
#include <sys/syscall.h>
#include <sys/uio.h>

int main(int argc, char** argv) {
  const size_t size = argc > 1 ? strtoul(argv[1], NULL, 0) : 4 * MIB;
  struct io_uring_params parameters;
  memset(&parameters, 0, sizeof parameters);
  const int ring = (int)syscall(SYS_io_uring_setup, 8, &parameters);
  if (ring < 0) skip("io_uring: %s", strerror(errno));
  struct iovec buffer = {.iov_base = map_anonymous(size), .iov_len = size};
  write_pages(buffer.iov_base, size);
  if (syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &buffer, 1) != 0)
    skip("io_uring's buffers: %s", strerror(errno));
  tell("pinned", buffer.iov_base, size, "%s", "");
  ready_until_end();
  return 0;
}
