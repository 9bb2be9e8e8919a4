// A working set that wanders like that of a server under changing load, and may leak: wander [SEED [LEAK [TAU]]]. Heap
// objects of 2 to 32 KiB come and go; how much is alive follows a mean-reverting random walk (Ornstein and Uhlenbeck)
// around 12 MiB with a standard deviation of 2.5 MiB (so nearly always within 5 MiB) that forgets itself in TAU seconds
// (15). LEAK bytes a second (0) are allocated, written and never freed.
#include <math.h>
#include <poll.h>
#include <time.h>

#include "target.h"

enum { most_objects = 16384, tick_ms = 20 };

static struct object {
  char* memory;
  size_t size;
} objects[most_objects];
static size_t object_count, alive_bytes;
static uint64_t state;

static double uniform(void) {  // xorshift64*
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return (double)((state * 2685821657736338717ULL) >> 11) / 9007199254740992.0;
}

static double normal(void) {
  return sqrt(-2 * log(1 - uniform())) * cos(6.283185307179586 * uniform());
}

static void* written(size_t size) {
  void* const memory = malloc(size);
  must(memory != NULL, "malloc");
  memset(memory, 'w', size);
  return memory;
}

static void add_object(void) {
  const size_t size = 2 * KIB + (size_t)(uniform() * 30 * KIB);
  objects[object_count++] = (struct object){written(size), size};
  alive_bytes += size;
}

static void drop_object(void) {
  struct object* const victim = &objects[(size_t)(uniform() * (double)object_count)];
  free(victim->memory);
  alive_bytes -= victim->size;
  *victim = objects[--object_count];
}

/// A fiftieth of the objects is replaced, then there are as many as the load asks for.
static void serve(double wanted_bytes) {
  for (size_t left = object_count / 50; left > 0; --left) drop_object();
  while (object_count > 0 && (double)alive_bytes > wanted_bytes) drop_object();
  while (object_count < most_objects && (double)alive_bytes < wanted_bytes) add_object();
}

static double seconds_now(void) {
  struct timespec now;
  must(clock_gettime(CLOCK_MONOTONIC, &now) == 0, "clock_gettime");
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char** argv) {
  state = argc > 1 ? strtoull(argv[1], NULL, 10) * 2 + 1 : 1;
  const double leak_per_second = argc > 2 ? strtod(argv[2], NULL) : 0;
  const double forgets_in_seconds = argc > 3 ? strtod(argv[3], NULL) : 15;
  const double kept = exp(-tick_ms / 1000.0 / forgets_in_seconds);
  const double mean = 12.0 * (double)MIB, deviation = 2.5 * (double)MIB;
  double load = normal(), leaked = 0;
  const double start = seconds_now();
  printf("ready\n");
  fflush(stdout);
  for (;;) {
    load = kept * load + sqrt(1 - kept * kept) * normal();
    serve(mean + deviation * load);
    for (; leaked + 1000 <= (seconds_now() - start) * leak_per_second; leaked += 1000) written(1000);
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    char byte;
    if (poll(&input, 1, tick_ms) > 0 && read(STDIN_FILENO, &byte, 1) <= 0) break;
  }
}
