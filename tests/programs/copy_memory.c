// copy_memory PID THREADS: what it costs to move the readable memory of a process that is in RAM, and nothing else:
// process_vm_readv in pieces of up to 1 MiB, by so many threads, as fast as that can be done: into buffers that begin at
// a page (elsewhere rep movsb took four times as long on Zen 3), and no two threads in one page table, which has one
// lock. Prints the bytes moved and the microseconds it took, without the time for finding the pages. With a third
// argument, a file: writes the bytes there, one mapping after the other.
#include "target.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/uio.h>
#include <time.h>

enum { most_threads = 16, entries_at_once = 8192, table_bytes = 2 * MIB };

struct run {
  uint64_t begin, size;
};
static struct run* runs;
static size_t run_count, run_room;
static pid_t pid;
static size_t* batches;  // the first run of each page table
static size_t batch_count;
static atomic_size_t next_batch;
static atomic_ullong moved;

static void add_run(uint64_t begin, uint64_t size) {
  const uint64_t piece = MIB;
  if (run_count > 0 && runs[run_count - 1].begin + runs[run_count - 1].size == begin && begin % table_bytes != 0 &&
      runs[run_count - 1].size + size <= piece) {
    runs[run_count - 1].size += size;
    return;
  }
  if (run_count == run_room) {
    run_room = run_room ? run_room * 2 : 4096;
    runs = realloc(runs, run_room * sizeof *runs);
    must(runs != NULL, "realloc");
  }
  runs[run_count++] = (struct run){begin, size};
}

static void find_present(int pagemap, uint64_t begin, uint64_t end) {
  static uint64_t entries[entries_at_once];
  const uint64_t page = page_size();
  for (uint64_t at = begin; at < end;) {
    const uint64_t left = (end - at) / page, ask = left < entries_at_once ? left : entries_at_once;
    const ssize_t got = pread(pagemap, entries, ask * 8, (off_t)(at / page * 8));
    if (got <= 0) return;
    for (ssize_t i = 0; i < got / 8; ++i)
      if (entries[i] >> 63) add_run(at + (uint64_t)i * page, page);
    at += (uint64_t)got / 8 * page;
  }
}

static int open_of(const char* name) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
  const int fd = open(path, O_RDONLY);
  must(fd >= 0, path);
  return fd;
}

static void find_runs(void) {
  const int pagemap = open_of("pagemap");
  FILE* const maps = fdopen(open_of("maps"), "r");
  char line[8192];
  while (fgets(line, sizeof line, maps)) {
    unsigned long long begin, end;
    char readable;
    if (sscanf(line, "%llx-%llx %c", &begin, &end, &readable) != 3 || readable != 'r') continue;
    if (strstr(line, "[vsyscall]") || strstr(line, "[vvar")) continue;
    find_present(pagemap, begin, end);
  }
}

static void make_batches(void) {
  batches = malloc((run_count + 1) * sizeof *batches);
  must(batches != NULL, "malloc");
  for (size_t i = 0; i < run_count; ++i)
    if (i == 0 || runs[i].begin / table_bytes != runs[i - 1].begin / table_bytes) batches[batch_count++] = i;
  batches[batch_count] = run_count;
}

static char* new_buffer(void) {
  char* const buffer = aligned_alloc(page_size(), MIB);
  must(buffer != NULL, "aligned_alloc");
  return buffer;
}

static size_t copy(const struct run* run, char* buffer) {
  const struct iovec local = {buffer, run->size}, remote = {(void*)(uintptr_t)run->begin, run->size};
  const ssize_t got = process_vm_readv(pid, &local, 1, &remote, 1, 0);
  return got > 0 ? (size_t)got : 0;
}

static void* work(void* unused) {
  char* const buffer = new_buffer();
  unsigned long long bytes = 0;
  for (size_t i; (i = atomic_fetch_add(&next_batch, 1)) < batch_count;)
    for (size_t run = batches[i]; run < batches[i + 1]; ++run) bytes += copy(&runs[run], buffer);
  atomic_fetch_add(&moved, bytes);
  free(buffer);
  return unused;
}

static void write_all(const char* path) {
  FILE* const file = fopen(path, "w");
  must(file != NULL, path);
  char* const buffer = new_buffer();
  for (size_t i = 0; i < run_count; ++i) {
    const size_t got = copy(&runs[i], buffer);
    must(fwrite(buffer, 1, got, file) == got, path);
  }
  must(fclose(file) == 0, path);
}

int main(int argc, char** argv) {
  must(argc > 2, "copy_memory PID THREADS [FILE]");
  pid = atoi(argv[1]);
  find_runs();
  if (argc > 3) {
    write_all(argv[3]);
    return 0;
  }
  make_batches();
  pthread_t threads[most_threads];
  const int count = atoi(argv[2]) < most_threads ? atoi(argv[2]) : most_threads;
  struct timespec begin, end;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  for (int i = 0; i < count; ++i) must(pthread_create(&threads[i], NULL, work, NULL) == 0, "pthread_create");
  for (int i = 0; i < count; ++i) pthread_join(threads[i], NULL);
  clock_gettime(CLOCK_MONOTONIC, &end);
  const double seconds = (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
  printf("%llu %.1f\n", (unsigned long long)moved, seconds * 1e6);
  return 0;
}
