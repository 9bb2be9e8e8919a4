// What was found, not judged: the output of every producer and the only input of build_snapshot().
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "libvmscan/model/allocations.h"
#include "libvmscan/model/pages.h"
#include "libvmscan/model/snapshot.h"

namespace vmscan {

/// What smaps says of one mapping, in bytes (proc(5)). A key that the kernel does not print stays unknown.
struct SmapsFacts {
  Bytes rss, pss, dirty, referenced, huge, swap, swap_pss, anonymous, locked;
  Bytes private_pages, shared_pages;  // clean and dirty
  Bytes hugetlb;                      // private and shared
  Bytes kernel_page_size;
  bool vm_locked = false;  // VmFlags "lo"
};

/// One line of /proc/PID/maps, or what another source says of one mapping.
struct Mapping {
  Range range;
  bool read = false, write = false, execute = false, shared = false;
  bool deleted = false;
  // What a core does not tell. Unknown sharing makes Private unknown; unknown rights make the protection unknown, too.
  bool sharing_known = true, rights_known = true;
  std::uint64_t offset = 0;  // bytes into the file
  std::uint32_t device_major = 0, device_minor = 0;
  std::uint64_t inode = 0;  // 0: no file behind it
  std::string path;         // as printed, decoded, without " (deleted)"; may be a name in brackets
  Bytes own_data;           // where no pages were read: bytes known to be the process's own although it may not write
  std::shared_ptr<const SmapsFacts> smaps;    // null: not read
  std::shared_ptr<const PageCounts> counted;  // when set, only these sums are known and Facts::pages does not count

  bool accessible() const { return read || write || execute; }
};

struct ElfSegment {     // PT_LOAD
  Address address = 0;  // p_vaddr
  std::uint64_t offset = 0, file_size = 0, memory_size = 0;
  bool read = false, write = false, execute = false;
};

struct ElfSection {  // SHF_ALLOC
  std::string name;
  Range range;  // addresses before relocation
};

/// The headers of one ELF file that is mapped, read from the file or from memory.
/// The Bloom filter of a GNU hash table: names that an image does not export mostly do not pass it.
struct ExportFilter {
  std::vector<std::uint64_t> words;  // of as many bits as a pointer; empty: unknown
  std::uint32_t shift = 0;           // of the hash, for the second bit
};

struct ElfImage {
  std::vector<ElfSegment> segments;
  std::vector<ElfSection> sections;
  std::optional<Range> relro;    // PT_GNU_RELRO, before relocation
  std::optional<Range> dynamic;  // PT_DYNAMIC, before relocation
  std::string build_id;          // lower-case hex
  ExportFilter exports;
  unsigned pointer_bits = 64;
};

/// A file as maps names it.
struct FileKey {
  std::uint32_t device_major = 0, device_minor = 0;
  std::uint64_t inode = 0;
  friend auto operator<=>(const FileKey&, const FileKey&) = default;
};

inline FileKey key_of(const Mapping& mapping) { return {mapping.device_major, mapping.device_minor, mapping.inode}; }

/// A stack in the C library's lists of threads, by what its structures say.
struct ThreadStack {
  enum class Owner : std::uint8_t {
    Thread,  // `thread` runs on it
    Ended,   // a thread that has ended and was not joined yet
    Nobody,  // kept for the next thread
  };
  Range range;                   // from the guard to the end of the thread's own structure
  std::uint64_t guard_size = 0;  // bytes at its beginning that may not be touched
  Owner owner = Owner::Thread;
  std::uint32_t thread = 0;  // its id in Facts::threads
  bool given = false;        // the program gave the memory (pthread_attr_setstack)
  std::string_view library;  // "glibc", "musl"
};

/// An alternate signal stack (sigaltstack(2)), by the frame that the kernel left when it called a signal handler, which
/// has not returned yet; or what is likely one on which no handler runs.
struct SignalStack {
  Range range;
  std::uint32_t thread = 0;  // its id in Facts::threads; 0: nobody knows
  Address frame = 0;         // where the frame lies; 0: no handler runs
  Address interrupted = 0;   // stack pointer of the thread before the signal
  Address kept_at = 0;       // where the thread keeps the address of an idle one; 0: a handler has left a frame in it
};

/// Memory of an allocator, by what its own structures say.
struct HeapPart {
  enum class Kind : std::uint8_t {
    Arena,      // of glibc's malloc
    Block,      // of glibc's malloc, with a mapping of its own
    Allocator,  // of another allocator
    Loader,     // of the dynamic loader, which has an allocator of its own
  };
  Range range;  // with what is reserved for its growth
  Kind kind = Kind::Arena;
  std::string details;  // "arena 3", "jemalloc"
  std::string evidence;
};

/// Transparent huge pages behind stacks and arenas of malloc, as far as it is certain that they are huge.
struct HugePages {
  enum class Policy : std::uint8_t {
    Unknown,
    Always,     // any memory gets them
    OnRequest,  // only what asks for them with madvise()
  };
  std::uint64_t size = 0;  // bytes of each
  Policy policy = Policy::Unknown;
  std::vector<Address> pages;  // where each begins; sorted
  bool complete = true;        // false: where a huge page is possible there may be one that is not among them
};

/// Memory of a managed runtime.
struct RuntimePart {
  Range range;
  std::string details;    // runtime and part: "V8 old space"; parts that touch and have the same are one region
  std::string block;      // what its blocks are, within the region; may be empty
  std::string evidence;   // the structure that says so, or what looks like it
  bool by_shape = false;  // no structure says so, only where and how it is mapped
  bool native = false;    // of the runtime's allocator for C++, which no collector looks after
};

struct GlibcHeaps;  // libvmscan/owners/allocators/glibc/glibc_arenas.h

struct Facts {
  Target target;
  std::optional<std::int64_t> captured_at_unix_ms;
  Consistency consistency = Consistency::Unknown;

  bool mappings_known = true;
  std::vector<Mapping> mappings;
  /// Set by sources that know allocations instead of mappings: then these alone are judged.
  std::optional<Allocations> allocations;
  bool pages_known = false;  // whether `pages` covers the mappings (but those with `counted`)
  PageRuns pages;
  bool sharing_known = true;  // false: of the pages only present, swapped and guard count
  bool all_pages = false;     // asked for: what is swapped out may be read, too, which brings it back into RAM
  std::map<FileKey, ElfImage> images;
  std::set<std::pair<std::uint32_t, std::uint32_t>> memory_devices;  // devices of file systems kept in RAM (tmpfs …)
  bool shared_swap_unknown = false;  // swapped shared memory may exist and no source told how much
  bool locked_known = false;         // nothing is locked, or smaps told what is

  Address brk_start = 0;  // where the heap of brk begins; 0: not known
  // Where the kernel put things when it started the program, for sources whose mappings do not carry its names.
  std::optional<Address> entry_point;    // AT_ENTRY: of the executable
  std::optional<Address> initial_stack;  // AT_RANDOM: 16 bytes on the first stack
  bool inaccessible_known = true;        // whether mappings without any rights are among the mappings

  std::optional<Range> address_space;
  Bytes lowest_mappable;  // vm.mmap_min_addr
  Bytes stack_guard_gap;  // bytes the kernel keeps free below a growing stack

  KernelCounters kernel;
  std::vector<Limit> limits;
  std::vector<Thread> threads;
  bool stack_pointers_denied = false;  // those of some threads may not be read
  std::vector<ThreadStack> stacks;
  std::vector<SignalStack> signal_stacks;  // sorted, never overlapping, in nobody's heap or stack
  Bytes least_signal_stack;                // AT_MINSIGSTKSZ: what a signal frame takes on this processor
  std::vector<HeapPart> heaps;
  std::shared_ptr<const GlibcHeaps> glibc;     // of which `heaps` tells the ranges; null: not sought
  std::vector<HeapShortfall> heap_shortfalls;  // of `heaps`, against what allocators count; Figures::Regions
  bool contents_match = true;                  // false: the memory that can be read is another program's by now
  bool contents_known = false;          // owners were sought in the bytes: what only looks like something is not that
  std::optional<HugePages> huge_pages;  // unset: not looked for, or not known
  std::vector<RuntimePart> runtimes;    // sorted, never overlapping
  std::vector<Note> notes;
};

/// The threads whose stack a C library's list tells.
inline std::set<std::uint32_t> threads_with_listed_stack(const Facts& facts) {
  std::set<std::uint32_t> threads;
  for (const ThreadStack& stack : facts.stacks)
    if (stack.owner == ThreadStack::Owner::Thread) threads.insert(stack.thread);
  return threads;
}

/// Whether glibc is loaded as a library; a static program may have it all the same.
inline bool has_glibc(const Facts& facts) {
  return std::ranges::any_of(facts.mappings, [](const Mapping& mapping) {
    const std::string_view name = std::string_view(mapping.path).substr(mapping.path.rfind('/') + 1);
    return name.starts_with("libc.so.6") || name.starts_with("libc-2");
  });
}

}  // namespace vmscan
