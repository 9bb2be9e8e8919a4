// Where the memory of a process went: its resident set split into parts by owner, which add up to what the kernel says.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libvmscan/model/snapshot.h"
#include "libvmscan/owners/allocators/heap_report.h"

namespace vmscan {

/// In the order in which they are shown.
enum class WaterfallPart : std::uint8_t {
  HeapLive,
  HeapCached,
  HeapFree,
  HeapOverhead,
  HeapUnread,
  HeapRest,  // of type Heap, and no block that was walked has it
  ManagedHeap,
  Stack,
  ImageModified,
  ImageUnmodified,
  Image,               // where what was modified is not known
  MappedFileModified,  // private mappings only
  MappedFile,
  Shareable,
  PrivateData,  // that a rule names
  Unattributed,
  Other,
};

struct WaterfallPartName {
  WaterfallPart part;
  std::string_view name;   // in JSON and CSV
  std::string_view title;  // in tables
};
inline constexpr std::array<WaterfallPartName, 17> waterfall_parts{{
    {WaterfallPart::HeapLive, "heap_live", "Heap: live blocks"},
    {WaterfallPart::HeapCached, "heap_cached", "Heap: freed, cached"},
    {WaterfallPart::HeapFree, "heap_free", "Heap: free"},
    {WaterfallPart::HeapOverhead, "heap_overhead", "Heap: the allocator's own"},
    {WaterfallPart::HeapUnread, "heap_unread", "Heap: not walked"},
    {WaterfallPart::HeapRest, "heap_rest", "Heap: outside of all blocks"},
    {WaterfallPart::ManagedHeap, "managed_heap", "Managed"},
    {WaterfallPart::Stack, "stack", "Stacks"},
    {WaterfallPart::ImageModified, "image_modified", "Images: modified"},
    {WaterfallPart::ImageUnmodified, "image_unmodified", "Images: as in their files"},
    {WaterfallPart::Image, "image", "Images"},
    {WaterfallPart::MappedFileModified, "mapped_file_modified", "Mapped files: modified, private"},
    {WaterfallPart::MappedFile, "mapped_file", "Mapped files"},
    {WaterfallPart::Shareable, "shareable", "Shared memory"},
    {WaterfallPart::PrivateData, "private_data", "Private data"},
    {WaterfallPart::Unattributed, "unattributed", "Not attributed"},
    {WaterfallPart::Other, "other", "Other"},
}};

struct WaterfallLine {
  WaterfallPart part = WaterfallPart::Other;
  std::string details;             // which part of a managed heap, whose heap
  std::uint64_t bytes = 0;         // in RAM, or committed
  Bytes swap;                      // swapped out
  Bytes blocks;                    // of a heap's walk; unknown for what has none
  std::uint64_t regions = 0;       // that hold any of it; 0 for parts of heaps
  std::vector<std::string> rules;  // that gave these regions their type
};

/// What follows from the figures.
enum class AdviceKind : std::uint8_t {
  Unjoined,     // `threads` ended threads were not joined: `bytes` of their stacks are in RAM, of `committed`
  MallocTrim,   // malloc_trim(0) would give `bytes` back
  SharedPages,  // `bytes` are free in `pages` pages that `blocks` blocks in use keep in RAM
  Arenas,      // other `bytes` free and cached would stay in `arenas` arenas beside the main one, for `threads` threads
  HugePages,   // `bytes` of whole free pages are in RAM in `pages` huge pages, of which they are at least half, and of
               // which malloc_trim(0) would give `trimmable` back
  HugeStacks,  // `bytes` in `pages` huge pages lie behind stacks of `threads` threads that do not use them now
};
inline constexpr std::array<std::string_view, 6> advice_names{"unjoined_threads", "malloc_trim", "shared_pages",
                                                              "arenas",           "huge_pages",  "huge_stacks"};

struct Advice {
  AdviceKind kind = AdviceKind::MallocTrim;
  std::uint64_t bytes = 0, blocks = 0, pages = 0, arenas = 0, threads = 0;  // those that its kind names
  std::uint64_t page_bytes = 0;                                             // of each huge page
  std::uint64_t trimmable = 0;
  Bytes raised = {};  // of MallocTrim: the freed block for which malloc keeps more than usual at the ends of its heaps
  Bytes committed = {};  // of stacks
  bool in_ram = true;    // false: what is in RAM is not known, and `bytes` are committed
  HugePages::Policy policy = HugePages::Policy::Unknown;  // how the system gives them
};

struct Waterfall {
  bool in_ram = true;  // false: the source does not know what is in RAM, and committed bytes are split
  Bytes total;         // Rss, to which the lines add up; unknown: nothing is known, and there are no lines
  std::vector<WaterfallLine> lines;  // none of 0 bytes in RAM and in swap
  // Beside it:
  Bytes page_table, swap, hugetlb;
  std::vector<Advice> advice;
};

/// Splits what `snapshot` counts. `report` is the walk over the heaps of the same moment; null: they were not walked.
Waterfall explain(const Snapshot& snapshot, const HeapReport* report);

/// What is worth telling of it: nothing of less than 64 KiB or half a percent (waterfall_advice.cpp). Threads that were
/// not joined, which are a fault, come first; then heaps and stacks, by which has more. `report` may be null.
std::vector<Advice> advise(const Snapshot& snapshot, const HeapReport* report, const Waterfall& waterfall);

}  // namespace vmscan
