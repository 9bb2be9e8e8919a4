// What VMMap's own files hold, before it is text or XML: rows of regions and of their blocks. Its CSV, TXT and .mmp are
// read into this table and written from it.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libvmscan/base/result.h"
#include "libvmscan/model/snapshot.h"

namespace vmscan::formats {

/// The columns of Usage that VMMap has, in its order; the first seven of usage_columns.
inline constexpr std::size_t vmmap_usage_columns = 7;

/// What is wrong in a file, gathered: one Note for each code, with the first case and how many there are.
class Oddities {
 public:
  void add(std::string_view code, std::string text);
  std::vector<Note> notes() const;

 private:
  struct Cases {
    std::string first;
    std::size_t count = 0;
  };
  std::map<std::string, Cases, std::less<>> cases_;
};

/// A region, or a block of the region before it.
struct VmmapRow {
  bool is_block = false;
  Address address = 0;
  std::uint64_t size = 0;  // bytes
  RegionType type = RegionType::PrivateData;
  std::string type_text;  // as it stands in the file when it says more: "Image (ASLR)"
  Usage usage;
  Bytes blocks;  // runs of equal protection and state; of regions
  std::optional<Protection> protection;
  bool reserved = false;  // "Reserved" instead of a protection
  Bytes id;               // .mmp: a thread's id or a heap's ordinal
  std::string details;
};

struct VmmapTable {
  std::string process;
  std::optional<std::uint32_t> pid;
  std::optional<unsigned> pointer_bits;
  std::optional<std::int64_t> captured_at_unix_ms;
  std::array<TypeTotal, region_types.size()> summary;  // by type; unknown sizes where the file has no such row
  TypeTotal total;
  Bytes page_table;  // bytes
  std::vector<VmmapRow> rows;
  Oddities oddities;
};

/// The rows as VMMap counts them: a region's Private of an image is the committed size of its writable blocks, its
/// Protection the numerically largest of its blocks, its Blocks their runs of equal protection and state; the summary
/// sums the regions, but Private from the blocks. Free and Unusable are rows, too. Heaps get ordinals.
VmmapTable vmmap_table_of(const Snapshot& snapshot);

/// The snapshot that a file of VMMap holds. Sums are those of the blocks. A region without blocks that cover it is one
/// block; overlapping regions are left out; both with a Note, as what else was odd.
Snapshot snapshot_of(VmmapTable table);

/// "Thread Stack", "Heap (Private Data)"; the rest as titles.
std::string_view vmmap_title(RegionType type);
/// Accepts VMMap's spellings and additions in brackets.
std::optional<RegionType> parse_vmmap_type(std::string_view text);

}  // namespace vmscan::formats
