// A 32-bit program with a thread and a heap. Built with -m32 where the compiler can.
#include "target.h"

#include <pthread.h>
#include <sys/syscall.h>

static volatile pid_t thread_id;

static void* sleeper(void* unused) {
  (void)unused;
  thread_id = (pid_t)syscall(SYS_gettid);
  for (;;) pause();
  return NULL;
}

int main(void) {
  char* const block = malloc(1000);
  char* const big = malloc(MIB);
  must(block && big, "malloc");
  memset(block, 1, 1000);
  write_pages(big, MIB);
  pthread_t thread;
  must(pthread_create(&thread, NULL, sleeper, NULL) == 0, "pthread_create");
  while (!thread_id) usleep(1000);
  usleep(20000);
  tell("heap", block, 1000, "%s", "");
  tell("mapped_chunk", big, MIB, "%s", "");
  tell("main_stack", &thread, sizeof thread, "%s", "");
  tell("thread", NULL, 0, "tid=%d", thread_id);
  tell("bits", NULL, 0, "pointer_bits=%zu", 8 * sizeof(void*));
  ready_until_end();
  _exit(0);
}
