// The readers of single streams. Each takes what is good into the dump and returns how many records were missing or
// broken; a stream of one record counts as one.
#pragma once

#include "libvmscan/source/minidump/minidump_file.h"
#include "libvmscan/source/minidump/minidump_stream.h"

namespace vmscan {

struct DumpReading {
  const FileBytes& file;
  MinidumpFile& dump;
  TextReader texts;
  std::vector<DumpedMemory> stacks;  // that threads tell of; mostly the lists of memory hold them, too
  std::uint64_t bytes_cut = 0;       // of memory, behind the end of the file

  /// 32-bit writers extend the sign of addresses to 64 bits.
  Address address(std::uint64_t value) const {
    const bool extended = dump.target.pointer_bits == 32U && value >> 32 == 0xffffffff;
    return extended ? value & 0xffffffff : value;
  }
};

// minidump_system.cpp
std::uint64_t read_system_info(DumpReading& reading, const Stream& stream);
std::uint64_t read_misc_info(DumpReading& reading, const Stream& stream);
std::uint64_t read_vm_counters(DumpReading& reading, const Stream& stream);
std::uint64_t read_linux_status(DumpReading& reading, const Stream& stream);
std::uint64_t read_linux_arguments(DumpReading& reading, const Stream& stream);
std::uint64_t read_linux_auxv(DumpReading& reading, const Stream& stream);
std::uint64_t read_linux_maps(DumpReading& reading, const Stream& stream);

// minidump_memory_lists.cpp
std::uint64_t read_memory64_list(DumpReading& reading, const Stream& stream);
std::uint64_t read_memory_list(DumpReading& reading, const Stream& stream);
std::uint64_t read_memory_info(DumpReading& reading, const Stream& stream);
std::uint64_t read_modules(DumpReading& reading, const Stream& stream);

// minidump_threads.cpp
std::uint64_t read_threads(DumpReading& reading, const Stream& stream);
std::uint64_t read_thread_info(DumpReading& reading, const Stream& stream);
std::uint64_t read_thread_names(DumpReading& reading, const Stream& stream);
std::uint64_t read_exception(DumpReading& reading, const Stream& stream);

/// A piece of memory of the target that the dump holds; false when its addresses are impossible.
bool add_memory(DumpReading& reading, std::uint64_t begin, std::uint64_t size, std::uint64_t offset,
                std::vector<DumpedMemory>& pieces);

}  // namespace vmscan
