// A program with a malloc of its own, in whose memory the dynamic loader's link_maps of what is loaded later lie, and
// lists that have grown; the program keeps pointers to them everywhere. The kernel may join its memory with the loader's
// own. One line for each piece of the heap.
#include "target.h"

#include <dlfcn.h>
#include <link.h>

enum { piece_bytes = 512 * 1024, most_pieces = 64, header_bytes = 16 };

static char* pieces[most_pieces];
static size_t used, count;

void* malloc(size_t size) {
  const size_t bytes = (size + 2 * header_bytes - 1) / header_bytes * header_bytes;
  if (bytes > piece_bytes) return NULL;
  if (count == 0 || piece_bytes - used < bytes) {
    if (count == most_pieces) return NULL;
    void* const piece = mmap(NULL, piece_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (piece == MAP_FAILED) return NULL;
    pieces[count++] = piece;
    used = 0;
  }
  char* const block = pieces[count - 1] + used + header_bytes;
  *(size_t*)(void*)(block - sizeof(size_t)) = size;
  used += bytes;
  return block;
}

void free(void* block) { (void)block; }

void* calloc(size_t number, size_t size) { return malloc(number * size); }  // pieces are zero, and nothing is given twice

void* realloc(void* block, size_t size) {
  char* const moved = malloc(size);
  if (block == NULL || moved == NULL) return moved;
  const size_t before = *(size_t*)(void*)((char*)block - sizeof(size_t));
  memcpy(moved, block, before < size ? before : size);
  return moved;
}

static void keep(void* library) {
  enum { times = 1000, gap = 40000 };
  must(library != NULL, "dlopen");
  struct link_map** const kept = malloc(times * sizeof *kept);
  for (size_t i = 0; i < times; ++i) kept[i] = library;
  memset(malloc(gap), 7, gap);
}

int main(void) {
  static const char* const names[] = {"libm.so.6", "libresolv.so.2", "libutil.so.1", "libnss_files.so.2",
                                      "libBrokenLocale.so.1", "libanl.so.1", "librt.so.1"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; ++i) {
    void* const library = dlopen(names[i], RTLD_NOW | RTLD_GLOBAL);
    if (library != NULL) keep(library);
  }
  for (int i = 0; i < 3; ++i) keep(dlmopen(LM_ID_NEWLM, names[0], RTLD_NOW));
  for (size_t i = 0; i < count; ++i) tell("piece", pieces[i], piece_bytes, "%s", "");
  struct link_map* program = dlopen(NULL, RTLD_NOW);
  for (struct link_map* at = program->l_next; at != NULL; at = at->l_next) {
    int own = 0;
    for (size_t i = 0; i < count; ++i) own |= (char*)at >= pieces[i] && (char*)at < pieces[i] + piece_bytes;
    tell("link_map", at, sizeof *at, "own=%d", own);
  }
  ready_until_end();
}
