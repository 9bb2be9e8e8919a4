// measure COMMAND ARGS…: runs a command with its output to /dev/null and prints the wall time in microseconds, its peak
// memory in KiB and its exit status. A small program does this, because a child's peak begins with what its parent had.
#include "target.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <time.h>

static double now_us(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

int main(int argc, char** argv) {
  must(argc > 1, "measure COMMAND");
  const double begin = now_us();
  const pid_t child = fork();
  must(child >= 0, "fork");
  if (child == 0) {
    dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
    execv(argv[1], argv + 1);
    _exit(127);
  }
  int status;
  struct rusage usage;
  must(wait4(child, &status, 0, &usage) == child, "wait4");
  printf("%.1f %ld %d\n", now_us() - begin, usage.ru_maxrss, WIFEXITED(status) ? WEXITSTATUS(status) : 128);
  return 0;
}
