// From the contents of a minidump to facts.
#pragma once

#include "libvmscan/model/facts.h"
#include "libvmscan/source/minidump/minidump_file.h"
#include "libvmscan/source/source.h"

namespace vmscan {

/// LinuxMaps gives mappings, MemoryInfoList allocations. Without either, the allocations are what the lists of modules,
/// threads and memory prove, and a note says so. ELF images are read from the files on disk that have the build ids of
/// the list of modules (CollectOptions::file_root and sections). Working sets stay unknown.
Facts facts_of_minidump(const MinidumpFile& dump, const MemoryReader& memory, const CollectOptions& options);

// What it is made of.

/// Mappings, images and the like from LinuxMaps. False when the text holds no mapping.
bool add_linux_facts(const MinidumpFile& dump, const MemoryReader& memory, const CollectOptions& options, Facts& facts);

/// Allocations from MemoryInfoList, or else from what the other lists prove.
void add_allocations(const MinidumpFile& dump, const MemoryReader& memory, Facts& facts);

/// The whole pages that hold any of the range.
Range whole_pages(Range range, std::uint64_t page_size);

/// What the lists of modules, threads and memory prove of the address space, in rising order; `allocations` holds the
/// modules and threads already.
std::vector<AllocationPages> proven_pages(const MinidumpFile& dump, const Allocations& allocations,
                                          std::uint64_t page_size);

}  // namespace vmscan
