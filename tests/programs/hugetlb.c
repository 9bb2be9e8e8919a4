// Pages from the hugetlb pool: private, shared and System V. Needs vm.nr_hugepages of at least 6.
#include "target.h"

#include <sys/ipc.h>
#include <sys/shm.h>

static const size_t huge = 2 * MIB;

static char* map_huge(int sharing) {
  char* const memory =
      map_alone(2 * huge, PROT_READ | PROT_WRITE, sharing | MAP_ANONYMOUS | MAP_HUGETLB | (21 << MAP_HUGE_SHIFT), -1);
  if (memory == MAP_FAILED) skip("no hugetlb pages: %s", strerror(errno));
  return memory;
}

int main(void) {
  char* const own = map_huge(MAP_PRIVATE);
  char* const shared = map_huge(MAP_SHARED);
  const int id = shmget(IPC_PRIVATE, huge, IPC_CREAT | SHM_HUGETLB | 0600);
  if (id < 0) skip("no System V hugetlb pages: %s", strerror(errno));
  char* const system_v = shmat(id, NULL, 0);
  shmctl(id, IPC_RMID, NULL);
  if (system_v == (char*)-1) skip("shmat: %s", strerror(errno));
  write_pages(own, 2 * huge);
  write_pages(shared, huge);
  write_pages(system_v, huge);
  tell("hugetlb_private", own, 2 * huge, "touched=%zu", 2 * huge);
  tell("hugetlb_shared", shared, 2 * huge, "touched=%zu", huge);
  tell("hugetlb_sysv", system_v, huge, "touched=%zu", huge);
  ready_until_end();
}
