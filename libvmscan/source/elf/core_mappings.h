// What the mappings of a core are beyond its segments and NT_FILE: rights, sharing, and what the process changed.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "libvmscan/source/elf/core_facts.h"

namespace vmscan {

/// A mapping and what the core knows of it beyond its facts.
struct Dumped {
  std::uint64_t bytes = 0;  // from its beginning
  bool named_only = false;  // only NT_FILE tells of it
};

/// How many mappings were settled in which way, for the notes.
struct Settled {
  std::uint64_t unverified = 0, by_headers = 0, without_rights = 0, without_sharing = 0, without_own_data = 0,
                not_dumped = 0, with_zeros = 0, inaccessible = 0, backed_kib = 0, left_out_kib = 0;
};

/// Fills in what each mapping of `out` does not tell by itself, from ELF headers, from bytes and from files on disk,
/// and finds which bytes those files give. `dumped` has an entry for each mapping.
Settled settle_mappings(const CoreFile& core, const MemoryReader& memory, const std::vector<Dumped>& dumped,
                        const std::map<FileKey, DiskFile>& files, CoreFacts& out);

}  // namespace vmscan
