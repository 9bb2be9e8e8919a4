// What a minidump holds, stream by stream: minidumpapiset.h of the Windows SDK, with the streams that Breakpad and
// Crashpad add for Linux (google_breakpad/common/minidump_format.h). Little-endian, at any alignment.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libvmscan/base/file_bytes.h"
#include "libvmscan/model/allocations.h"
#include "libvmscan/model/target.h"

namespace vmscan {

struct DumpedMemory {
  Range range;
  std::uint64_t offset = 0;  // into the dump
  std::uint64_t held = 0;    // bytes from the start of the range that the file really has: fewer when it was cut off
};

struct DumpedThread {
  Thread thread;
  Address teb = 0;    // 0: not told
  Range stack_bytes;  // what of its stack was dumped: from its stack pointer to its end, as far as the writer knew
};

struct DumpedException {
  std::uint32_t thread = 0;
  std::uint32_t code = 0;  // of Windows (NTSTATUS); on Linux the number of the signal
  Address address = 0;     // where it happened, or what a fault was about
};

struct MinidumpFile {
  Target target;  // as SystemInfo, MiscInfo and the Linux streams tell; names are settled later
  std::optional<std::int64_t> written_at_unix_ms;
  KernelCounters counters;  // ProcessVmCounters or LinuxProcStatus

  std::vector<DumpedMemory> memory;  // sorted, never overlapping
  bool full_memory = false;          // Memory64List: the writer was asked for all of it

  bool has_memory_info = false;              // and its head is good
  bool memory_info_whole = false;            // no record of it is missing or broken
  std::vector<AllocationPages> memory_info;  // MemoryInfoList, in its order, free memory included
  std::vector<LoadedModule> modules;         // in the order of the list, without sections
  std::vector<DumpedThread> threads;         // by rising id
  std::optional<DumpedException> exception;

  std::optional<std::string> linux_maps;
  bool linux_maps_whole = true;
  std::vector<std::string> linux_arguments;  // argv, argv[0] included
  std::vector<std::byte> linux_auxv;
  std::vector<Note> notes;
};

/// Reads the streams in passes that rely on no order. Errors: Malformed (no minidump, or one without any stream),
/// Truncated (it ends before its first stream). Everything else that is broken, cut off or there twice leaves the rest
/// standing, with a note.
Result<MinidumpFile> read_minidump_file(const FileBytes& file);

}  // namespace vmscan
