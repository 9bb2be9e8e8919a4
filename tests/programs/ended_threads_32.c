// The same, as a 32-bit program.
#include "ended_threads.c"
