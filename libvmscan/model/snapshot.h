// The picture of one address space at one moment: what every view, format and comparison works on.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "libvmscan/model/heap_contents.h"
#include "libvmscan/model/heap_shortfall.h"
#include "libvmscan/model/region.h"
#include "libvmscan/model/target.h"

namespace vmscan {

/// Whether the map changed while it was read.
enum class Consistency : std::uint8_t { Unknown, Stable, Racy };
constexpr std::array<std::string_view, 3> consistency_names{"unknown", "stable", "racy"};

struct Summary;

/// Transparent huge pages behind stacks of threads that wait or have ended.
struct HugeStacks {
  std::uint64_t stacks = 0;      // that have such pages
  std::uint64_t pages = 0;       // of `page_bytes` each
  std::uint64_t page_bytes = 0;  // of one
  std::uint64_t unused = 0;      // bytes of these pages below what the threads use now
  bool on_request = false;       // only programs that ask get huge pages here
};

struct Snapshot {
  Target target;
  std::optional<std::int64_t> captured_at_unix_ms;
  Consistency consistency = Consistency::Unknown;
  std::string label;  // given by the user

  /// False when the map could not be read: then `regions` is empty and every sum over it unknown.
  bool regions_known = true;
  std::vector<Region> regions;          // sorted by address, never overlapping; neither Free nor PageTable
  std::shared_ptr<const Summary> sums;  // set: these were all that was wanted, and `regions` is empty
  std::optional<Range> address_space;   // what the process may use; Free is what no region covers of it
  Bytes page_table;                     // kernel memory of the page tables

  KernelCounters kernel;
  std::vector<Limit> limits;
  std::vector<Thread> threads;
  std::optional<HugeStacks> huge_stacks;       // unset: none, or not known
  std::shared_ptr<const HeapContents> heap;    // null: not asked for, or not found
  std::vector<HeapShortfall> heap_shortfalls;  // empty: none is known
  std::vector<Note> notes;
};

/// Adds them, with a note for each allocator and reason.
void add_heap_shortfalls(Snapshot& snapshot, std::span<const HeapShortfall> shortfalls);

/// One line of the summary.
struct TypeTotal {
  RegionType type = RegionType::PrivateData;
  Bytes size;
  Usage usage;
  Bytes regions;  // number of regions
  Bytes blocks;   // number of blocks
  Bytes largest;  // size of the largest region; for Free, of the largest hole

  /// False for the page tables of a source that tells nothing of them (a core): they have no row then.
  bool has_row() const { return type != RegionType::PageTable || size.known(); }
  friend bool operator==(const TypeTotal&, const TypeTotal&) = default;
};

struct Summary {
  std::array<TypeTotal, region_types.size()> rows;  // indexed by RegionType
  TypeTotal total;                                  // all that have a row, but Free; `type` has no meaning here
  std::shared_ptr<const HeapContents> heap;         // of the snapshot; null for several together
  std::vector<HeapShortfall> heap_shortfalls;

  /// Adds another process, row by row; memory that both share is counted in both.
  Summary& operator+=(const Summary& other);
};

/// Adds up regions one by one, so that they need not be kept. Page Table counts as committed and private, but not in
/// the working set: the kernel leaves page tables out of Rss, and the total must be what the kernel says.
class Summarizer {
 public:
  explicit Summarizer(std::optional<Range> address_space);
  /// The next region by address.
  void add(Range range, RegionType type, const Usage& usage, std::uint64_t blocks);
  /// Once.
  Summary finish(Bytes page_table);

 private:
  void add_hole(Range hole);

  std::array<TypeTotal, region_types.size()> rows_;
  std::optional<Range> rest_;  // of the address space, behind the regions so far
  Usage nothing_;              // what a type without regions uses, so far
  bool any_ = false;
};

/// Sums per type.
Summary summarize(const Snapshot& snapshot);

/// The holes between the regions inside address_space, in address order, as regions of type Free.
std::vector<Region> free_regions(const Snapshot& snapshot);

}  // namespace vmscan
