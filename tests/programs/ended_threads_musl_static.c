// The same with musl, without shared libraries.
#include "ended_threads.c"
