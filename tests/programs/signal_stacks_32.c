// The same, as a 32-bit program.
#include "signal_stacks.c"
