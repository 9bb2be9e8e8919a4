// busy_cache: a thread with 100 blocks in its cache, `kept`, that takes one or two others and gives them back, all the
// time. Writing them overwrites what the lists of the cache keep in them.
#include "target.h"

#include <pthread.h>

enum { sizes = 20, of_each = 5, kept = sizes * of_each };

static void* volatile seen;
static volatile int filled;

static void write_and_free(size_t size) {
  char* const block = malloc(size);
  must(block != NULL, "malloc");
  memset(block, 0x5a, size);
  seen = block;
  free(block);
}

static void* work(void* unused) {
  (void)unused;
  void* blocks[kept];
  for (int i = 0; i < kept; ++i) seen = blocks[i] = malloc(100 + (size_t)(i / of_each) * 40);
  for (int i = 0; i < kept; ++i) free(blocks[i]);
  filled = 1;
  for (;;) {
    write_and_free(40);
    write_and_free(24);
  }
  return NULL;
}

int main(void) {
  pthread_t thread;
  must(pthread_create(&thread, NULL, work, NULL) == 0, "pthread_create");
  while (!filled) usleep(1000);
  tell("cache", NULL, 0, "kept=%d busy=%d", kept, 2);
  ready();
  return 0;
}
