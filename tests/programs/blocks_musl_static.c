// The same with musl and without shared libraries.
#include "blocks.c"
