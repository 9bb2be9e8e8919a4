// The same with musl, whose malloc_usable_size is what was asked for.
#include "blocks.c"
