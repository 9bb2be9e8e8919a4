// Memory as Windows shows it: runs of pages, each part of an allocation, and what is known of what lies in them. Also
// for dumps that tell only of some memory, whatever system they are from.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "libvmscan/model/region.h"

namespace vmscan {

/// How memory was allocated (MEM_PRIVATE, MEM_MAPPED, MEM_IMAGE of winnt.h).
enum class AllocationKind : std::uint8_t { Unknown, Private, Mapped, Image };

/// A run of pages in one state: MEMORY_BASIC_INFORMATION, as far as the source tells it.
struct AllocationPages {
  Range range;
  Address allocation_base = 0;  // of what one call allocated
  AllocationKind kind = AllocationKind::Unknown;
  std::optional<State> state;
  std::optional<Protection> protection;  // unknown, too, where nothing is committed
};

struct ImageSection {
  std::string name;
  Range range;                           // in memory
  std::optional<Protection> protection;  // that the loader gives it
};

/// An image that the loader lists.
struct LoadedModule {
  Range range;
  std::string path;
  std::string build_id;  // lower-case hex: of an ELF file its build id; of a PE file GUID and age of its symbols
  std::vector<ImageSection> sections;
};

struct ThreadMemory {
  std::uint32_t id = 0;
  std::optional<Range> stack;          // what is reserved for it, as far as it is known
  std::optional<Address> stack_limit;  // from there on it is committed
  std::string evidence;                // how it is known
  std::optional<Address> teb;          // thread environment block
};

/// The beginning of a piece of memory that an allocator of the system manages.
struct HeapSegment {
  Address base = 0;
  std::optional<unsigned> heap;  // place in the process's list of heaps, from 1
  std::string evidence;
};

struct Allocations {
  std::vector<AllocationPages> pages;
  std::vector<LoadedModule> modules;  // sorted, never overlapping
  std::vector<ThreadMemory> threads;
  std::vector<HeapSegment> heaps;
  std::optional<Address> peb;  // process environment block

  bool file_names_known = false;              // whether the source tells which files are mapped
  std::map<Address, std::string> file_names;  // of mapped files, by allocation base
  /// Where allocations begin, a power of two: what is free up to the next boundary cannot be allocated. Unknown where
  /// the rest of the address space is.
  Bytes granularity;
};

}  // namespace vmscan
