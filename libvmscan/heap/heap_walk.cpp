#include "libvmscan/heap/heap_walk.h"

#include <fmt/format.h>

#include <algorithm>

#include "libvmscan/heap/block_looks.h"
#include "libvmscan/heap/glibc_walk.h"
#include "libvmscan/heap/jemalloc.h"
#include "libvmscan/heap/mallocng.h"
#include "libvmscan/heap/mimalloc.h"
#include "libvmscan/heap/tcmalloc.h"

namespace vmscan {

Result<HeapReport> walk_heaps(const Facts& facts, const MemoryReader& reader, const HeapOptions& options) {
  const TargetMemory memory(facts, reader);
  HeapReport report = walk_glibc(memory, options);
  for (const auto walk : {walk_jemalloc, walk_mallocng, walk_mimalloc, walk_tcmalloc}) walk(memory, options, report);
  if (memory.refusal()) return std::unexpected(*memory.refusal());
  if (report.heaps.empty() && !holds_data_of_libc(memory))
    return fail(ErrorCode::Unsupported,
                fmt::format("{}: it holds no memory of the C library, where malloc keeps its heaps: a core or a dump "
                            "with all memory has it",
                            memory.facts().target.name));
  std::stable_sort(report.blocks.begin(), report.blocks.end(),
                   [](const HeapBlock& a, const HeapBlock& b) { return a.address < b.address; });
  look_at_blocks(memory, options.contents, report);
  return report;
}

}  // namespace vmscan
