// One look at a target, the same for live processes, cores and minidumps: what its source collects, then whose memory
// each part is.
#pragma once

#include "libvmscan/source/source.h"

namespace vmscan {

/// The facts of a source, with owners: stacks, heaps, runtimes, signal stacks. A live process is looked at up to five
/// times, before it is said that a part of a heap is missing. Errors: those of Source::collect().
Result<Facts> capture(Source& source, const CollectOptions& options);

}  // namespace vmscan
