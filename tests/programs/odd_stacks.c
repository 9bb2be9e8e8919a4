// odd_stacks: threads on stacks that nobody lists or that belong to somebody else. `cloned`: made by clone() itself, on
// 256 KiB without a guard. `pool`: the same, in the middle of 8 MiB of other data. `small`: a thread whose stack is a
// block of the main arena. `large`: one whose stack is a block with a mapping of its own.
#include "target.h"

#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>

static volatile pid_t started;

static void say_id(void) { __atomic_store_n(&started, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE); }

static int cloned(void* nothing) {
  (void)nothing;
  say_id();
  for (;;) syscall(SYS_pause);
  return 0;
}

static void* work(void* nothing) {
  say_id();
  pause();
  return nothing;
}

static pid_t wait_for_id(void) {
  pid_t id;
  while ((id = __atomic_exchange_n(&started, 0, __ATOMIC_ACQUIRE)) == 0) usleep(1000);
  usleep(20000);  // until it waits
  return id;
}

static void tell_cloned(const char* name, char* memory, size_t size, char* top) {
  must(clone(cloned, top, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM, NULL) > 0,
       "clone");
  tell(name, memory, size, "tid=%d", wait_for_id());
}

static void tell_thread(const char* name, size_t size) {
  pthread_attr_t attributes;
  pthread_t handle;
  char* const memory = malloc(size);
  pthread_attr_init(&attributes);
  must(memory != NULL && pthread_attr_setstack(&attributes, memory, size) == 0, "pthread_attr_setstack");
  must(pthread_create(&handle, &attributes, work, NULL) == 0, "pthread_create");
  tell(name, memory, size, "tid=%d", wait_for_id());
}

int main(void) {
  enum { stack = 256 << 10, pool = 8 << 20 };
  char* const alone = map_anonymous(stack);
  tell_cloned("cloned", alone, stack, alone + stack);
  char* const memory = map_anonymous(pool);
  write_pages(memory, pool);
  tell_cloned("pool", memory, pool, memory + pool / 2);
  tell_thread("small", 64 * KIB);
  tell_thread("large", 512 * KIB);
  ready_until_end();
  _exit(0);
}
