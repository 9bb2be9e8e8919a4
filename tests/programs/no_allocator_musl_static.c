// A static musl program that never asks for memory: it has no allocator.
#include "target.h"

int main(void) {
  ready_until_end();
}
