// stacks [N]: N threads, half of them spinning at nice 19, half blocked, on stacks of five kinds (default, 256 KiB, 64 KiB
// guard, memory that the program mapped, memory from malloc); then two threads that have ended, of which one was joined.
// One line for each with its stack without guard, as pthread_getattr_np tells it. Built against several C libraries.
#include "target.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>

enum kind { usual, small, wide_guard, mapped, allocated, kinds };
enum { own_size = 192 * 1024 };

struct worker {
  unsigned number;
  int spins, ends;
  pthread_t handle;
  void* begin;
  size_t size, guard;
  volatile pid_t tid;
};

static pthread_mutex_t never_free = PTHREAD_MUTEX_INITIALIZER;

static void* work(void* argument) {
  struct worker* const self = argument;
  char name[16];
  snprintf(name, sizeof name, "worker %u", self->number);
  prctl(PR_SET_NAME, name);
  pthread_attr_t attributes;
  must(pthread_getattr_np(pthread_self(), &attributes) == 0, "pthread_getattr_np");
  pthread_attr_getstack(&attributes, &self->begin, &self->size);
  pthread_attr_getguardsize(&attributes, &self->guard);
  pthread_attr_destroy(&attributes);
  const pid_t tid = (pid_t)syscall(SYS_gettid);
  if (self->spins) setpriority(PRIO_PROCESS, (id_t)tid, 19);
  __atomic_store_n(&self->tid, tid, __ATOMIC_RELEASE);
  if (self->ends) return NULL;
  if (!self->spins) pthread_mutex_lock(&never_free);
  for (volatile unsigned long turns = 0;; ++turns) {
  }
  return NULL;
}

static void start(struct worker* worker, enum kind kind) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  if (kind == small) pthread_attr_setstacksize(&attributes, 256 * KIB);
  if (kind == wide_guard) pthread_attr_setguardsize(&attributes, 64 * KIB);
  if (kind == mapped || kind == allocated) {
    void* const memory = kind == allocated ? malloc(own_size)
                                           : mmap(NULL, own_size, PROT_READ | PROT_WRITE,
                                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    must(memory != NULL && memory != MAP_FAILED, "memory for a stack");
    must(pthread_attr_setstack(&attributes, memory, own_size) == 0, "pthread_attr_setstack");
  }
  must(pthread_create(&worker->handle, &attributes, work, worker) == 0, "pthread_create");
  pthread_attr_destroy(&attributes);
  while (!__atomic_load_n(&worker->tid, __ATOMIC_ACQUIRE)) usleep(100);
}

static const char* const kind_names[] = {"default", "small", "guard", "mapped", "allocated"};

int main(int argc, char** argv) {
  const unsigned count = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : 10;
  struct worker* const workers = calloc(count + 2, sizeof *workers);
  must(workers != NULL, "set-up");
  pthread_mutex_lock(&never_free);
  for (unsigned i = 0; i < count; ++i) {
    workers[i].number = i;
    workers[i].spins = i >= count / 2;
    start(&workers[i], (enum kind)(i % kinds));
    tell("thread", workers[i].begin, workers[i].size, "tid=%d name=worker_%u kind=%s guard=%zu", workers[i].tid, i,
         kind_names[i % kinds], workers[i].guard);
  }
  struct worker* const ended = &workers[count];
  for (int i = 0; i < 2; ++i) {
    ended[i].ends = 1;
    start(&ended[i], usual);
  }
  pthread_join(ended[1].handle, NULL);
  usleep(50000);  // until the other one has ended, and until those that block do
  tell("ended", ended[0].begin, ended[0].size, "%s", "");
  tell("joined", ended[1].begin, ended[1].size, "%s", "");
  ready_until_end();
  _exit(0);
}
