// map_file PATH: the bytes of a file as the memory of a process, all of them in RAM.
#include "target.h"

#include <fcntl.h>
#include <sys/stat.h>

int main(int argc, char** argv) {
  must(argc > 1, "map_file PATH");
  const int fd = open(argv[1], O_RDONLY);
  must(fd >= 0, argv[1]);
  struct stat file;
  must(fstat(fd, &file) == 0, argv[1]);
  const size_t size = (size_t)file.st_size;
  char* const bytes = map_alone(size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd);
  must(bytes != MAP_FAILED, "mmap");
  read_pages(bytes, size);
  tell("file", bytes, size, "%s", "");
  ready_until_end();
}
