// main() of the unit tests (Catch2 2).
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
