// Shared by the target programs: what they print, how they wait, and mappings that touch no other mapping.
//
// A target prints one line `NAME 0xBEGIN 0xEND [key=value…]` for each thing it made, then `ready`, then waits on stdin:
// the line `step` makes it do its next step and print again up to `ready`; the end of the input ends it.
// `skip: REASON` and exit status 77 say that this machine cannot do it.
#pragma once

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

enum { exit_skipped = 77 };

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)

__attribute__((unused)) static size_t page_size(void) { return (size_t)sysconf(_SC_PAGESIZE); }

__attribute__((unused, noreturn, format(printf, 1, 2))) static void skip(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  printf("skip: ");
  vprintf(format, arguments);
  printf("\n");
  fflush(stdout);
  _exit(exit_skipped);
}

/// Ends the program with the reason in errno unless `succeeded`.
__attribute__((unused)) static void must(int succeeded, const char* what) {
  if (succeeded) return;
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  _exit(1);
}

/// Prints the line of one thing; `format` is of what follows the two addresses.
__attribute__((unused, format(printf, 4, 5))) static void tell(const char* name, const volatile void* begin,
                                                               size_t size, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  printf("%s 0x%llx 0x%llx", name, (unsigned long long)(uintptr_t)begin, (unsigned long long)((uintptr_t)begin + size));
  if (*format) printf(" ");
  vprintf(format, arguments);
  printf("\n");
  va_end(arguments);
}

/// Prints `ready` and waits. Returns 1 for a line, 0 at the end of the input.
__attribute__((unused)) static int ready(void) {
  printf("ready\n");
  fflush(stdout);
  for (int read_any = 0;;) {
    char byte;
    const ssize_t got = read(STDIN_FILENO, &byte, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return read_any;
    if (byte == '\n') return 1;
    read_any = 1;
  }
}

__attribute__((unused)) static void ready_until_end(void) {
  while (ready()) {
  }
}

/// Maps at an address of its own, 1 GiB away from everything else, aligned for huge pages.
__attribute__((unused)) static void* map_alone(size_t size, int protection, int flags, int fd) {
#if UINTPTR_MAX > 0xffffffffu
  static uintptr_t next = (uintptr_t)0x200000000000;
  const uintptr_t address = next;
  next += (size + 2 * GIB - 1) & ~(uintptr_t)(GIB - 1);
  return mmap((void*)address, size, protection, flags | MAP_FIXED_NOREPLACE, fd, 0);
#else
  return mmap(NULL, size, protection, flags, fd, 0);
#endif
}

/// Private anonymous memory in small pages, alone. Ends the program when there is none.
__attribute__((unused)) static char* map_anonymous(size_t size) {
  char* const memory = (char*)map_alone(size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  must(memory != MAP_FAILED, "mmap");
  madvise(memory, size, MADV_NOHUGEPAGE);
  return memory;
}

/// Writes one byte into every page.
__attribute__((unused)) static void write_pages(void* memory, size_t size) {
  volatile char* const bytes = (volatile char*)memory;
  for (size_t at = 0; at < size; at += page_size()) bytes[at] = (char)(at / page_size() + 1);
}

/// Reads one byte of every page.
__attribute__((unused)) static void read_pages(const void* memory, size_t size) {
  const volatile char* const bytes = (volatile char*)memory;
  for (size_t at = 0; at < size; at += page_size()) (void)bytes[at];
}

/// An open file without a name, `size` bytes long, all written, on the disk of TMPDIR (or /var/tmp).
__attribute__((unused)) static int unnamed_file(size_t size) {
  const char* const directory = getenv("TMPDIR") ? getenv("TMPDIR") : "/var/tmp";
  char path[4096];
  snprintf(path, sizeof path, "%s/vmscan-target-XXXXXX", directory);
  const int fd = mkstemp(path);
  must(fd >= 0, path);
  unlink(path);
  char block[4096];
  memset(block, 'f', sizeof block);
  for (size_t at = 0; at < size; at += sizeof block) must(write(fd, block, sizeof block) == sizeof block, "write");
  return fd;
}

/// A child that dies with its parent and talks with it over two pipes, one byte at a time.
struct child {
  pid_t pid;
  int to_child, to_parent;
};

/// Forks. In the child `pid` is 0.
__attribute__((unused)) static struct child fork_child(void) {
  int down[2], up[2];
  must(pipe(down) == 0 && pipe(up) == 0, "pipe");
  fflush(stdout);
  const pid_t pid = fork();
  must(pid >= 0, "fork");
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, 9);
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    close(down[1]);
    close(up[0]);
    return (struct child){0, down[0], up[1]};
  }
  close(down[0]);
  close(up[1]);
  return (struct child){pid, down[1], up[0]};
}

/// In the child: tells the parent that a step is done, and waits for the next; ends when there is none.
__attribute__((unused)) static void child_ready(struct child self) {
  char byte = 'r';
  if (write(self.to_parent, &byte, 1) != 1 || read(self.to_child, &byte, 1) != 1) _exit(0);
}

/// In the parent: waits until the child is ready.
__attribute__((unused)) static void wait_for_child(struct child child) {
  char byte;
  must(read(child.to_parent, &byte, 1) == 1, "child");
}

/// In the parent: lets the child do its next step and waits for it.
__attribute__((unused)) static void step_child(struct child child) {
  must(write(child.to_child, "s", 1) == 1, "child");
  wait_for_child(child);
}

/// In the parent: ends the child.
__attribute__((unused)) static void end_child(struct child child) {
  close(child.to_child);
  while (waitpid(child.pid, NULL, 0) < 0 && errno == EINTR) {
  }
}
