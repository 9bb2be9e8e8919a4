// A plain program: where its own sections are, and its PT_GNU_RELRO segment. Linked with -z relro -z now.
#include "target.h"

#include <link.h>

enum { bss_pages = 64, bss_touched = 16 };

static const char rodata[4096] = "constant";
static char data[8192] = "initialised";
static char bss[bss_pages * 4096];
static const char* const relocated[1024] = {rodata, data, bss};

static int tell_relro(struct dl_phdr_info* info, size_t size, void* unused) {
  (void)size, (void)unused;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)* const header = &info->dlpi_phdr[i];
    if (header->p_type != PT_GNU_RELRO) continue;
    tell("relro_segment", (char*)info->dlpi_addr + header->p_vaddr, header->p_memsz, "%s", "");
  }
  return 1;  // the first object is the program itself
}

int main(void) {
  for (size_t at = 0; at < bss_touched * 4096; at += 4096) ((volatile char*)bss)[at] = 1;
  ((volatile char*)data)[0] = 'I';
  tell("text", (void*)(uintptr_t)&main, 1, "%s", "");
  tell("rodata", rodata, sizeof rodata, "%s", "");
  tell("data", data, sizeof data, "%s", "");
  tell("bss", bss, sizeof bss, "touched=%d", bss_touched * 4096);
  tell("data_rel_ro", relocated, sizeof relocated, "%s", "");
  dl_iterate_phdr(tell_relro, NULL);
  ready_until_end();
}
