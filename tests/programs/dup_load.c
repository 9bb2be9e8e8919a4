// One library loaded twice (a second time in a link namespace of its own), and mapped once more as a whole, read-only.
#include "target.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <sys/stat.h>

static const char library[] = "libm.so.6";

/// Prints where the loader put the object, from the ELF header to the end of the last PT_LOAD.
static const char* tell_loaded(const char* name, void* handle) {
  struct link_map* map;
  must(dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0, "dlinfo");
  const char* const base = (const char*)map->l_addr;
  const ElfW(Ehdr)* const header = (const void*)base;
  const ElfW(Phdr)* const programs = (const void*)(base + header->e_phoff);
  size_t end = 0;
  for (int i = 0; i < header->e_phnum; ++i)
    if (programs[i].p_type == PT_LOAD && programs[i].p_vaddr + programs[i].p_memsz > end)
      end = programs[i].p_vaddr + programs[i].p_memsz;
  tell(name, base, end, "path=%s", map->l_name);
  return map->l_name;
}

int main(void) {
  void* const first = dlopen(library, RTLD_NOW);
  if (!first) skip("%s", dlerror());
  const char* const path = tell_loaded("first_load", first);
  void* const second = dlmopen(LM_ID_NEWLM, library, RTLD_NOW);
  if (!second) skip("dlmopen: %s", dlerror());
  tell_loaded("second_load", second);

  const int fd = open(path, O_RDONLY);
  struct stat status;
  must(fd >= 0 && fstat(fd, &status) == 0, path);
  const size_t size = (size_t)status.st_size;
  char* const whole = map_alone(size, PROT_READ, MAP_PRIVATE, fd);
  must(whole != MAP_FAILED, "mmap");
  read_pages(whole, size);
  tell("whole_file", whole, size, "path=%s", path);
  ready_until_end();
}
