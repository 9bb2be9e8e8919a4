// The same with musl, without shared libraries.
#include "stacks.c"
