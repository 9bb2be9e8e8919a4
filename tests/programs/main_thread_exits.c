// The main thread ends by pthread_exit while two others go on: /proc/PID then shows a zombie, its threads do not.
#include "target.h"

#include <pthread.h>
#include <sys/syscall.h>

static pthread_t main_thread;
static char* memory;
static size_t size;

static void* sleeper(void* unused) {
  (void)unused;
  for (;;) pause();
  return NULL;
}

static void* speaker(void* unused) {
  (void)unused;
  pthread_join(main_thread, NULL);
  usleep(20000);  // pthread_join returns a moment before the kernel has ended the thread
  tell("memory", memory, size, "%s", "");
  tell("speaker", NULL, 0, "tid=%ld", syscall(SYS_gettid));
  ready_until_end();
  _exit(0);
}

int main(void) {
  main_thread = pthread_self();
  size = 64 * page_size();
  memory = map_anonymous(size);
  write_pages(memory, size);
  pthread_t one, two;
  must(pthread_create(&one, NULL, sleeper, NULL) == 0, "pthread_create");
  must(pthread_create(&two, NULL, speaker, NULL) == 0, "pthread_create");
  pthread_exit(NULL);
}
