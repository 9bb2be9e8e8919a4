// What a fuzzer does when something does not hold.
#pragma once

#include <cstdio>
#include <cstdlib>

#include "libvmscan/model/laws.h"

namespace vmscan::tests {

/// Ends the fuzzer, which keeps the input then.
inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

inline void require_laws(const Snapshot& snapshot) {
  for (const std::string& law : broken_laws(snapshot)) require(false, law.c_str());
}

}  // namespace vmscan::tests
