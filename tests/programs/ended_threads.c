// ended_threads UNJOINED JOINED DETACHED [LIVING]: so many threads that have ended. Those that are joined or detached
// end when all have begun, so that each has a stack of its own. Built against several C libraries.
#include "target.h"

#include <pthread.h>

static pthread_barrier_t all;

static void* work(void* wait) {
  if (wait != NULL) pthread_barrier_wait(&all);
  return NULL;
}

static void* live(void* nothing) {
  pause();
  return nothing;
}

static unsigned number(int argc, char** argv, int index) {
  return argc > index ? (unsigned)strtoul(argv[index], NULL, 0) : 0;
}

int main(int argc, char** argv) {
  const unsigned unjoined = number(argc, argv, 1), joined = number(argc, argv, 2), detached = number(argc, argv, 3);
  pthread_t* const handles = calloc(joined + 1, sizeof *handles);
  pthread_t handle;
  must(handles != NULL && pthread_barrier_init(&all, NULL, joined + detached + 1) == 0, "set-up");
  for (unsigned i = 0; i < joined; ++i) must(pthread_create(&handles[i], NULL, work, handles) == 0, "pthread_create");
  for (unsigned i = 0; i < detached; ++i) {
    must(pthread_create(&handle, NULL, work, handles) == 0, "pthread_create");
    pthread_detach(handle);
  }
  for (unsigned i = 0; i < number(argc, argv, 4); ++i)
    must(pthread_create(&handle, NULL, live, NULL) == 0, "pthread_create");
  for (unsigned i = 0; i < unjoined; ++i) must(pthread_create(&handle, NULL, work, NULL) == 0, "pthread_create");
  pthread_barrier_wait(&all);
  for (unsigned i = 0; i < joined; ++i) pthread_join(handles[i], NULL);
  usleep(200000);  // until the kernel has told of the ends
  ready_until_end();
  _exit(0);
}
