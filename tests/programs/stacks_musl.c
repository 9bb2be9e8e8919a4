// The same with musl.
#include "stacks.c"
