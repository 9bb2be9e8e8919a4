// threads [N [spin]]: N named threads on stacks of three kinds (default, 256 KiB, 64 KiB guard), blocked in a futex or
// in a read of a pipe; with `spin` the second half spins at nice 19. One line for each with its stack without guard.
#include "target.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>

enum kind { in_futex, in_read, spinning };
static const char* const kind_names[] = {"futex", "read", "spinning"};

struct worker {
  enum kind kind;
  unsigned number;
  pthread_t handle;
  volatile pid_t tid;
};

static pthread_mutex_t never_free = PTHREAD_MUTEX_INITIALIZER;
static int never_written[2];

static void* work(void* argument) {
  struct worker* const self = argument;
  char name[16];
  snprintf(name, sizeof name, "worker %u", self->number);
  pthread_setname_np(pthread_self(), name);
  const pid_t tid = (pid_t)syscall(SYS_gettid);
  if (self->kind == spinning) setpriority(PRIO_PROCESS, (id_t)tid, 19);
  __atomic_store_n(&self->tid, tid, __ATOMIC_RELEASE);
  char byte;
  if (self->kind == in_futex) pthread_mutex_lock(&never_free);
  if (self->kind == in_read) return (void*)(read(never_written[0], &byte, 1));
  for (volatile unsigned long turns = 0;; ++turns) {
  }
  return NULL;
}

static void tell_stack(struct worker* worker) {
  pthread_attr_t attributes;
  must(pthread_getattr_np(worker->handle, &attributes) == 0, "pthread_getattr_np");
  void* begin;
  size_t size, guard;
  pthread_attr_getstack(&attributes, &begin, &size);
  pthread_attr_getguardsize(&attributes, &guard);
  pthread_attr_destroy(&attributes);
  tell("thread", begin, size, "tid=%d name=worker_%u state=%s guard=%zu", worker->tid, worker->number,
       kind_names[worker->kind], guard);
}

int main(int argc, char** argv) {
  const unsigned count = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : 8;
  const int spin = argc > 2 && strcmp(argv[2], "spin") == 0;
  struct worker* const workers = calloc(count + 1, sizeof *workers);
  must(workers != NULL && pipe(never_written) == 0, "set-up");
  pthread_mutex_lock(&never_free);
  for (unsigned i = 0; i < count; ++i) {
    workers[i].number = i;
    workers[i].kind = spin && i >= count / 2 ? spinning : i % 2 ? in_read : in_futex;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    if (i % 3 == 1) pthread_attr_setstacksize(&attributes, 256 * KIB);
    if (i % 3 == 2) pthread_attr_setguardsize(&attributes, 64 * KIB);
    must(pthread_create(&workers[i].handle, &attributes, work, &workers[i]) == 0, "pthread_create");
    pthread_attr_destroy(&attributes);
  }
  for (unsigned i = 0; i < count; ++i) {
    while (!__atomic_load_n(&workers[i].tid, __ATOMIC_ACQUIRE)) usleep(1000);
    tell_stack(&workers[i]);
  }
  usleep(50000);  // until those that block do
  ready_until_end();
  _exit(0);
}
