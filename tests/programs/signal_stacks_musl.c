// The same with musl.
#include "signal_stacks.c"
