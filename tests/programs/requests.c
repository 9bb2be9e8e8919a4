// A server in miniature: `requests KIND` handles as many requests as each line of its input says and answers each line
// with `done`. What a request leaves behind depends on the kind; every request also works with 16 to 256 KiB for a
// while, as real ones do.
#include <fcntl.h>
#include <pthread.h>

#include "target.h"

enum { leak_bytes = 64 * 1024, cache_entries = 64, fragments = 512 };

static unsigned handled;

static void must_have(const void* memory) { must(memory != NULL && memory != MAP_FAILED, "allocation"); }

static void* fill(void* memory, size_t size) {
  must_have(memory);
  memset(memory, 'x', size);
  return memory;
}

static void work(void) {
  static unsigned seed = 1;
  for (int i = 0; i < 8; ++i) {
    seed = seed * 1103515245 + 12345;
    const size_t size = 16 * KIB + seed / 65536 % (240 * KIB);
    free(fill(malloc(size), size));
  }
}

static void leak_malloc(void) { fill(malloc(leak_bytes), leak_bytes); }

static void leak_mmap(void) {
  fill(mmap(NULL, leak_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), leak_bytes);
}

static void* forever(void* nothing) {
  (void)nothing;
  for (;;) pause();
  return NULL;
}

static void leak_thread(void) {
  pthread_t thread;
  if (handled % 16 != 0) return;  // one in sixteen requests forgets its thread
  must(pthread_create(&thread, NULL, forever, NULL) == 0, "pthread_create");
}

static void leak_file(void) {
  char name[] = "/tmp/vmscan-requests-XXXXXX";
  const int fd = mkstemp(name);
  must(fd >= 0 && unlink(name) == 0 && ftruncate(fd, leak_bytes) == 0, "mkstemp");
  fill(mmap(NULL, leak_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), leak_bytes);
  close(fd);
}

/// Blocks of many sizes, of which every second is kept until the slot comes again: holes, but no growth without end.
static void fragment(void) {
  static void* kept[fragments];
  for (unsigned i = 0; i < 32; ++i) {
    const unsigned slot = (handled * 32 + i) % fragments;
    const size_t size = 512 + (size_t)(slot * 37 % 64) * 512;
    free(kept[slot]);
    void* const between = fill(malloc(size), size);
    kept[slot] = fill(malloc(size), size);
    free(between);
  }
}

/// Filled once, then it stays.
static void fill_cache(void) {
  static void* cache[cache_entries];
  const unsigned slot = handled % cache_entries;
  if (cache[slot] == NULL) cache[slot] = fill(malloc(4 * leak_bytes), 4 * leak_bytes);
}

static void nothing(void) {}

static const struct {
  const char* name;
  void (*handle)(void);
} kinds[] = {{"malloc", leak_malloc}, {"mmap", leak_mmap}, {"threads", leak_thread}, {"files", leak_file},
             {"fragments", fragment}, {"cache", fill_cache}, {"idle", nothing}};

int main(int argc, char** argv) {
  const char* const wanted = argc > 1 ? argv[1] : "idle";
  void (*handle)(void) = NULL;
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; ++i)
    if (strcmp(kinds[i].name, wanted) == 0) handle = kinds[i].handle;
  must(handle != NULL, "kind");
  char line[32];
  while (fgets(line, sizeof line, stdin) != NULL) {
    for (long n = strtol(line, NULL, 10); n > 0; --n, ++handled) {
      work();
      handle();
    }
    puts("done");
    fflush(stdout);
  }
  return 0;
}
