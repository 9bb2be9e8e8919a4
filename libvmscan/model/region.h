// Regions (what somebody asked for) and blocks (what the system reports).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libvmscan/base/range.h"
#include "libvmscan/model/usage.h"

namespace vmscan {

/// In the order in which every table shows them (VMMap's order).
enum class RegionType : std::uint8_t {
  Image,
  MappedFile,
  Shareable,
  Heap,
  ManagedHeap,
  Stack,
  PrivateData,
  PageTable,
  Unusable,
  Free,
};

struct RegionTypeName {
  RegionType type;
  std::string_view name;   // in JSON, CSV and --type
  std::string_view title;  // in tables; VMMap's spelling
};

/// The rule of a region whose type a file of another program told.
inline constexpr std::string_view foreign_rule = "vmmap_file";

inline constexpr std::array<RegionTypeName, 10> region_types{{
    {RegionType::Image, "image", "Image"},
    {RegionType::MappedFile, "mapped_file", "Mapped File"},
    {RegionType::Shareable, "shareable", "Shareable"},
    {RegionType::Heap, "heap", "Heap"},
    {RegionType::ManagedHeap, "managed_heap", "Managed Heap"},
    {RegionType::Stack, "stack", "Stack"},
    {RegionType::PrivateData, "private_data", "Private Data"},
    {RegionType::PageTable, "page_table", "Page Table"},
    {RegionType::Unusable, "unusable", "Unusable"},
    {RegionType::Free, "free", "Free"},
}};

constexpr std::string_view name_of(RegionType type) { return region_types[static_cast<std::size_t>(type)].name; }
constexpr std::string_view title_of(RegionType type) { return region_types[static_cast<std::size_t>(type)].title; }
/// Accepts the JSON name and VMMap's spelling, in any case ("mapped_file", "Mapped File").
std::optional<RegionType> parse_region_type(std::string_view text);

enum class State : std::uint8_t { Committed, Reserved, Free };
inline constexpr std::array<std::string_view, 3> state_names{"committed", "reserved", "free"};
constexpr std::string_view name_of(State state) { return state_names[static_cast<std::size_t>(state)]; }

/// Access rights of a block, spelled as VMMap spells them on both systems.
struct Protection {
  bool read = false;
  bool write = false;
  bool execute = false;
  bool copy_on_write = false;  // a private writable mapping of a file
  bool guard = false;

  friend constexpr bool operator==(Protection, Protection) = default;
};

/// "Read/Write", "Execute/Read", "Copy on write", "No access", "Read/Write/Guard" …
std::string to_string(Protection protection);
std::optional<Protection> parse_protection(std::string_view text);
/// The order of Windows' PAGE_* values: a region shows the protection of its block with the largest one.
int page_constant(Protection protection);

struct Block {
  Range range;
  State state = State::Committed;
  std::optional<Protection> protection;
  Usage usage;
  std::string details;  // section or segment names of an image, "Guard", VMA name …
};

struct Region {
  Range range;
  RegionType type = RegionType::PrivateData;
  std::string rule;      // name of the rule that gave the type; see classify/rules.h
  std::string details;   // path, thread, VMA name …
  std::string evidence;  // what the rule saw, one phrase; may be empty
  std::string build_id;  // of an image, lower-case hex; may be empty
  std::vector<Block> blocks;
  Usage usage;  // the sum of the blocks
  /// Of an image or a mapped file: what is in RAM and differs from the file, pages that a fork shares included. Unknown
  /// in a saved snapshot.
  Bytes modified = {};

  /// Protection with the largest page_constant() among the blocks; unknown when no block knows its own.
  std::optional<Protection> protection() const;
};

}  // namespace vmscan
