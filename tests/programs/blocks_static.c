// The same, without shared libraries.
#include "blocks.c"
