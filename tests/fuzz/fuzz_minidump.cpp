// Any bytes as a minidump: an error, or facts from which a lawful snapshot follows; its memory can be read anywhere.
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "libvmscan/classify/build_snapshot.h"
#include "libvmscan/model/laws.h"
#include "libvmscan/source/minidump/minidump_facts.h"
#include "libvmscan/source/minidump/minidump_memory.h"

using namespace vmscan;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const FileBytes file = bytes_of({bytes.begin(), bytes.end()});
  const auto dump = read_minidump_file(file);
  if (!dump) return 0;
  const MinidumpMemory memory(file, *dump);
  std::array<std::byte, 64> buffer{};
  for (const DumpedMemory& piece : dump->memory)
    for (const Address at : {piece.range.begin, piece.range.end - 1})
      if (const auto count = memory.read_some(at, buffer); !count || *count > buffer.size()) std::abort();
  CollectOptions options;
  options.file_root = "/nonexistent";  // a dump found by the fuzzer shall not depend on this machine's files
  const Snapshot snapshot = build_snapshot(facts_of_minidump(*dump, memory, options));
  const auto broken = broken_laws(snapshot);
  for (const std::string& law : broken) std::fprintf(stderr, "broken: %s\n", law.c_str());
  if (!broken.empty()) std::abort();
  return 0;
}
