// Any bytes as an ELF core: an error, or a target of which every command tells something that holds, soon.
#include <cstdint>

#include "libvmscan/source/core.h"
#include "tests/fuzz/support/whole_pipeline.h"

using namespace vmscan;
using namespace vmscan::tests;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  if (const auto source = open_core(bytes_of({bytes.begin(), bytes.end()}))) run_whole_pipeline(**source, size);
  return 0;
}
