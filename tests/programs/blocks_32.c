// The same, as a 32-bit program.
#include "blocks.c"
