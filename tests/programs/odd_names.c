// Mapped files with names that break careless parsers, and one that was deleted. The line has the path in hex.
#include "target.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

static char directory[] = "/var/tmp/vmscan-target-XXXXXX";

static void map_named(const char* label, const char* name, int deleted) {
  char path[512];
  const int length = snprintf(path, sizeof path, "%s/%s", directory, name);
  const int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
  must(fd >= 0, label);
  must(ftruncate(fd, (off_t)page_size()) == 0, "ftruncate");
  char* const memory = map_alone(page_size(), PROT_READ, MAP_PRIVATE, fd);
  must(memory != MAP_FAILED, "mmap");
  read_pages(memory, page_size());
  close(fd);
  if (deleted) unlink(path);
  const unsigned long begin = (unsigned long)memory;
  printf("%s 0x%lx 0x%lx deleted=%d path_hex=", label, begin, begin + page_size(), deleted);
  for (int i = 0; i < length; ++i) printf("%02x", (unsigned char)path[i]);
  printf("\n");
}

static void remove_all(void) {
  DIR* const list = opendir(directory);
  if (!list) return;
  for (struct dirent* entry; (entry = readdir(list));) unlinkat(dirfd(list), entry->d_name, 0);
  closedir(list);
  rmdir(directory);
}

int main(void) {
  must(mkdtemp(directory) != NULL, "mkdtemp");
  map_named("blanks", "with two  blanks", 0);
  map_named("leading", " leading and trailing ", 0);
  map_named("newline", "new\nline", 0);
  map_named("newlines", "\nfirst and last\n", 0);
  map_named("backslash", "back\\slash", 0);
  map_named("not_deleted", "really named (deleted)", 0);
  map_named("utf8", "\xc3\xbcml\xc3\xa4ut \xe6\xbc\xa2\xe5\xad\x97", 0);
  map_named("not_utf8", "\xff\xfe\x80 bytes", 0);
  map_named("quotes", "quote\" comma, semicolon; tab\t end", 0);
  map_named("brackets", "[heap]", 0);
  map_named("deleted", "was deleted", 1);
  map_named("deleted_twice", "was named (deleted)", 1);
  ready_until_end();
  remove_all();
}
