// The same, without shared libraries.
#include "stacks.c"
