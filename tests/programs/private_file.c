// private_file: 8 MiB of a file, mapped privately: 6 MiB were written, the rest was read. With an argument, a child
// shares what was written.
#include "target.h"

int main(int argc, char** argv) {
  (void)argv;
  enum { size = 8 << 20, written = 6 << 20 };
  const int file = unnamed_file(size);
  char* const memory = map_alone(size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file);
  must(memory != MAP_FAILED, "mmap");
  write_pages(memory, written);
  read_pages(memory + written, size - written);
  tell("written", memory, written, "%s", "");
  tell("read", memory + written, size - written, "%s", "");
  if (argc > 1 && fork() == 0) {
    prctl(PR_SET_PDEATHSIG, 9);
    pause();
  }
  ready_until_end();
  return 0;
}
