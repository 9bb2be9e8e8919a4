// Shared memory without a file on a disk: memfd (shared and private), System V, /dev/shm, shared anonymous.
#include "target.h"

#include <fcntl.h>
#include <sys/ipc.h>
#include <sys/shm.h>

static int filled_memfd(const char* name, size_t size) {
  const int fd = memfd_create(name, MFD_CLOEXEC);
  if (fd < 0) skip("memfd_create: %s", strerror(errno));
  must(ftruncate(fd, (off_t)size) == 0, "ftruncate");
  return fd;
}

static void tell_dev_shm(size_t size) {
  char name[64];
  snprintf(name, sizeof name, "/vmscan-target-%d", getpid());
  const int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
  if (fd < 0) skip("shm_open: %s", strerror(errno));
  must(ftruncate(fd, (off_t)size) == 0, "ftruncate");
  char* const memory = map_alone(size, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
  must(memory != MAP_FAILED, "mmap");
  write_pages(memory, size);
  tell("dev_shm", memory, size, "path=/dev/shm%s", name);
}

static void remove_dev_shm(void) {
  char name[64];
  snprintf(name, sizeof name, "/vmscan-target-%d", getpid());
  shm_unlink(name);
}

int main(void) {
  const size_t page = page_size(), size = 64 * page;
  char* const shared = map_alone(size, PROT_READ | PROT_WRITE, MAP_SHARED, filled_memfd("shared name", size));
  must(shared != MAP_FAILED, "mmap");
  write_pages(shared, 32 * page);
  tell("memfd_shared", shared, size, "touched=%zu", 32 * page);

  const int fd = filled_memfd("private name", size);
  for (size_t at = 0; at < size; at += page) must(pwrite(fd, "x", 1, (off_t)at) == 1, "pwrite");
  char* const own = map_alone(size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd);
  must(own != MAP_FAILED, "mmap");
  read_pages(own, size);
  write_pages(own, 16 * page);
  tell("memfd_private", own, size, "copied=%zu", 16 * page);

  const int id = shmget(IPC_PRIVATE, size, IPC_CREAT | 0600);
  if (id < 0) skip("shmget: %s", strerror(errno));
  char* const system_v = shmat(id, NULL, 0);
  shmctl(id, IPC_RMID, NULL);
  if (system_v == (char*)-1) skip("shmat: %s", strerror(errno));
  write_pages(system_v, size);
  tell("sysv", system_v, size, "%s", "");

  tell_dev_shm(size);
  char* const anonymous = map_alone(size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
  must(anonymous != MAP_FAILED, "mmap");
  write_pages(anonymous, size);
  tell("shared_anonymous", anonymous, size, "%s", "");
  ready_until_end();
  remove_dev_shm();
}
