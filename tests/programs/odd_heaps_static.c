// The same, without shared libraries.
#include "odd_heaps.c"
