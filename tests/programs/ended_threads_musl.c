// The same with musl.
#include "ended_threads.c"
