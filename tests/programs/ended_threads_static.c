// The same, without shared libraries.
#include "ended_threads.c"
