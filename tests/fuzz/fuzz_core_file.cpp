// Any bytes as an ELF core: an error, or facts from which a lawful snapshot follows; its memory can be read anywhere.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "libvmscan/classify/build_snapshot.h"
#include "libvmscan/model/laws.h"
#include "libvmscan/source/elf/core_facts.h"
#include "libvmscan/source/elf/core_memory.h"

using namespace vmscan;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const FileBytes file = bytes_of({bytes.begin(), bytes.end()});
  const auto core = read_core_file(file);
  if (!core) return 0;
  CoreMemory memory(file, *core);
  CollectOptions options;
  options.file_root = "/nonexistent";  // a core found by the fuzzer shall not depend on this machine's files
  CoreFacts found = facts_of_core(*core, memory, options);
  std::array<std::byte, 64> buffer{};
  for (const Mapping& mapping : found.facts.mappings)
    for (const Address at : {mapping.range.begin, mapping.range.end - 1})
      if (const auto count = memory.read_some(at, buffer); !count || *count > buffer.size()) std::abort();
  std::vector<Range> ranges;
  for (const Mapping& mapping : found.facts.mappings) ranges.push_back(mapping.range);
  const auto present = memory.present(ranges);
  if (!present) std::abort();
  for (std::size_t i = 0; i < present->size(); ++i)
    if ((*present)[i].empty() || (i > 0 && (*present)[i].begin < (*present)[i - 1].end)) std::abort();
  const Snapshot snapshot = build_snapshot(std::move(found.facts));
  const auto broken = broken_laws(snapshot);
  for (const std::string& law : broken) std::fprintf(stderr, "broken: %s\n", law.c_str());
  if (!broken.empty()) std::abort();
  return 0;
}
