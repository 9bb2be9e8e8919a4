// huge_stacks [N]: N threads that wait, each on a stack of 2 MiB that is one huge page, where the system gives one.
#include "target.h"

#include <pthread.h>

static void* work(void* nothing) {
  pause();
  return nothing;
}

int main(int argc, char** argv) {
  const unsigned count = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : 10;
  for (unsigned i = 0; i < count; ++i) {
    pthread_attr_t attributes;
    pthread_t handle;
    char* const memory = map_alone(2 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1);
    must(memory != MAP_FAILED, "mmap");
    if (madvise(memory, 2 * MIB, MADV_HUGEPAGE) != 0) skip("no transparent huge pages: %s", strerror(errno));
    pthread_attr_init(&attributes);
    must(pthread_attr_setstack(&attributes, memory, 2 * MIB) == 0, "pthread_attr_setstack");
    must(pthread_create(&handle, &attributes, work, NULL) == 0, "pthread_create");
    tell("stack", memory, 2 * MIB, "%s", "");
  }
  usleep(200000);
  ready_until_end();
  _exit(0);
}
