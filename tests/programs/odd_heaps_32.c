// The same, as a 32-bit program.
#include "odd_heaps.c"
