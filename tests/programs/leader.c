// A child that has ended and is not waited for: a zombie.
#include "target.h"

#include <signal.h>

int main(void) {
  fflush(stdout);
  const pid_t child = fork();
  must(child >= 0, "fork");
  if (child == 0) _exit(3);
  siginfo_t info;
  must(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) == 0, "waitid");
  tell("zombie", NULL, 0, "pid=%d", child);
  ready_until_end();
}
