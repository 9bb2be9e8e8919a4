// A live Linux process as a Source.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "libvmscan/source/linux/live_memory.h"
#include "libvmscan/source/linux/mapped_files.h"
#include "libvmscan/source/linux/proc_dir.h"
#include "libvmscan/source/linux/process_memory.h"
#include "libvmscan/source/linux/text/proc_text.h"
#include "libvmscan/source/source.h"

namespace vmscan {

class LiveProcess : public Source {
 public:
  explicit LiveProcess(ProcDir proc) : proc_(std::move(proc)), memory_(proc_) {}
  LiveProcess(const LiveProcess&) = delete;
  LiveProcess& operator=(const LiveProcess&) = delete;

  /// Errors: Vanished, AccessDenied (not even /proc/PID/stat may be read), Io. A map that may not be read is not an
  /// error: Facts::mappings_known is false then, with a note.
  Result<Facts> collect(const CollectOptions& options) override;
  /// Huge pages behind stacks and heaps, and which files did not answer.
  void complete(const CollectOptions& options, Facts& facts) override;
  const MemoryReader* memory() const override { return &memory_; }

 private:
  enum class Outcome { Done, Again };  // Again: another program was executed meanwhile
  Result<Outcome> collect_once(const CollectOptions& options, Facts& facts);
  Result<Outcome> collect_memory(const CollectOptions& options, const StatText& stat, const StatusText& status,
                                 Facts& facts);

  ProcDir proc_;
  ProcessMemory memory_;
  std::optional<LiveMemory> space_;  // between collect() and complete()
};

// The steps of a capture; each fills its part of the facts and adds notes for what it may not read.

/// Who it is: kind, names, ids, start time. Its arguments lie in its memory: a note says so where they are left out.
void collect_target(const ProcDir& proc, const MappedFiles& files, const StatText& stat, const StatusText& status,
                    Facts& facts);
/// Resources with their limits.
void collect_limits(const ProcDir& proc, const StatusText& status, Facts& facts);
struct ThreadsFound {
  std::vector<Thread> threads;
  bool denied = false;  // stack pointers may not be read
};
/// Threads, their names and stack pointers; their inner ids when the process is in a `nested` pid namespace. Changes
/// nothing, so it may run beside other steps.
ThreadsFound find_threads(const ProcDir& proc, bool nested);
/// Finds out which names that end in " (deleted)" really do.
void settle_deleted_names(const MappedFiles& files, std::vector<Mapping>& mappings);

struct ImagesFound {
  std::map<FileKey, ElfImage> images;
  std::vector<Note> notes;
};
/// ELF headers of the mapped files that look like loaded images. Changes nothing, so it may run beside other steps.
ImagesFound find_images(const MappedFiles& files, bool sections, const std::vector<Mapping>& mappings);

/// "" or "task/TID/": where the files that show the address space are. A process whose main thread has exited shows it
/// only through another thread.
std::string memory_directory(const ProcDir& proc, const StatText& stat);

}  // namespace vmscan
