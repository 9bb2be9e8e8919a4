// What an ELF core holds, as its headers and notes say it: elf(5), core(5), fs/binfmt_elf.c; gdb's gcore writes the
// same notes, anywhere in the file and in another order. 32- and 64-bit, little-endian.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libvmscan/base/file_bytes.h"
#include "libvmscan/base/range.h"
#include "libvmscan/model/target.h"

namespace vmscan {

struct CoreSegment {  // PT_LOAD: addresses that were mapped, and the part of their bytes that was dumped
  Range range;
  std::uint64_t offset = 0;  // bytes into the core
  std::uint64_t dumped = 0;  // bytes from the start of the range, as the header says
  std::uint64_t held = 0;    // of these, what the file really has: fewer when it was cut off
  bool read = false, write = false, execute = false;
};

struct CoreFileMapping {  // an entry of NT_FILE
  Range range;
  std::uint64_t offset = 0;  // bytes into the mapped file
  std::string path;          // as the kernel prints it, " (deleted)" included
};

struct CoreSignal {  // NT_SIGINFO
  std::uint32_t number = 0;
  std::optional<Address> address;  // what a fault was about
};

struct CoreProcess {  // NT_PRPSINFO
  std::uint32_t pid = 0, parent_pid = 0, user_id = 0;
  std::string name, command_line;  // at most 16 and 80 bytes
};

struct CoreFile {
  unsigned pointer_bits = 64;
  bool by_debugger = false;                // gcore: BFD writes a section for each segment, the kernel never does
  std::uint16_t machine = 0;               // e_machine
  std::vector<CoreSegment> segments;       // sorted, never overlapping
  std::vector<CoreFileMapping> files;      // sorted, never overlapping
  std::vector<Thread> threads;             // NT_PRSTATUS, with stack pointers where the machine is known
  std::vector<std::byte> auxiliary;        // NT_AUXV
  std::optional<std::uint64_t> page_size;  // bytes, as NT_FILE says
  std::optional<CoreProcess> process;
  std::optional<CoreSignal> signal;
  std::vector<Note> notes;
};

/// Reads headers and notes, in passes that rely on no order. Errors: Malformed (no ELF file), Unsupported (big-endian,
/// or no core but a program), Truncated (it ends inside its header). Everything else that is broken or cut off leaves
/// the rest standing, with a note.
Result<CoreFile> read_core_file(const FileBytes& file);

}  // namespace vmscan
