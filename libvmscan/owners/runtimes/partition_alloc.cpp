// PartitionAlloc, which is malloc in Chromium and in Electron: super pages of 2 MiB within address space reserved for
// them, and for each a page of metadata, which lies in the super page or, since 2025, in a reservation of its own. The
// page has a mapping of its own between guards; it begins with {partition, next such page, consecutive super pages (16
// bits), nonempty slot spans (16 bits)}, and from its 32nd byte on come slot spans of 32 bytes: {free slot, next slot
// span, bucket, …}. A bucket is part of its partition, which proves the page; free slots lie in the super page.
// base/allocator/partition_allocator/src/partition_alloc/partition_page.h; seen in Chromium 156.
#include <fmt/format.h>

#include <map>

#include "libvmscan/owners/runtimes/runtimes.h"

namespace vmscan {
namespace {

constexpr std::uint64_t super_page_bytes = 2 << 20, longest_partition = 64 << 10;
constexpr std::uint64_t most_super_pages = 1 << 15;  // in a row
constexpr std::size_t span_bytes = 32, spans = 127, least_pages = 3, most_pages = 1 << 20;
constexpr std::uint64_t pool_unit = 256 << 20;

class Finder {
 public:
  explicit Finder(RuntimeScan& scan) : scan_(scan), memory_(scan.memory) {}

  void find() {
    if (memory_.word_bytes() != 8) return;
    for (const Mapping& mapping : memory_.mappings())
      if (mapping.inode == 0 && !mapping.shared && mapping.read && mapping.write && mapping.path.empty() &&
          mapping.range.size() == memory_.page_bytes() && pages_ < most_pages && between_guards(mapping.range))
        look_at(mapping.range.begin);
    if (pages_ < least_pages) return;
    for (const auto& [begin, end] : pools_)
      scan_.add_native({begin, end}, "PartitionAlloc",
                       fmt::format("{} metadata pages, one at {:#x}, have free slots here", pages_, example_));
    for (const auto& [begin, end] : metadata_)
      if (!scan_.taken({begin, end}))
        scan_.add_native({begin, end}, "PartitionAlloc metadata",
                         fmt::format("{} metadata pages, one at {:#x}", pages_, example_));
  }

 private:
  bool between_guards(Range page) const {
    const auto guards = [&](const Mapping* mapping) { return mapping != nullptr && !mapping->accessible(); };
    return guards(memory_.mapping_of(page.begin - 1)) && guards(memory_.mapping_of(page.end));
  }

  void look_at(Address page) {
    const std::byte* bytes = scan_.bytes(page, span_bytes * (spans + 1));
    if (bytes == nullptr) return;
    const std::span<const std::byte> words(bytes, span_bytes * (spans + 1));
    const Address partition = memory_.word_at(words, 0), next = memory_.word_at(words, 8);
    const std::uint64_t counts = memory_.word_at(words, 16), in_a_row = counts & 0xffff;
    if (!scan_.object(partition) || (next != 0 && !memory_.writable(next)) || counts >> 32 != 0 || in_a_row == 0 ||
        in_a_row > most_super_pages || !in_partition(memory_.word_at(words, span_bytes + 16), partition))
      return;
    ++pages_;
    example_ = page;
    if (const Range around = scan_.reservation_with(page); around.size() >= pool_unit)
      metadata_[around.begin] = around.end;
    for (std::size_t i = 1; i <= spans; ++i) {
      const Address slot = memory_.word_at(words, i * span_bytes);
      if (slot != 0 && memory_.writable(slot) && in_partition(memory_.word_at(words, i * span_bytes + 16), partition))
        note_pool(slot);
    }
  }

  static bool in_partition(Address bucket, Address partition) {
    return bucket > partition && bucket - partition < longest_partition;
  }

  /// Pools begin and end at round addresses: what lies before and behind happens to touch.
  void note_pool(Address address) {
    const Range around = scan_.reservation_with(address);
    const auto first = Range::make(around.begin, pool_unit - 1);
    const Range pool{first ? first->end / pool_unit * pool_unit : around.end, around.end / pool_unit * pool_unit};
    if (pool.contains(address)) pools_[pool.begin] = pool.end;
  }

  RuntimeScan& scan_;
  const TargetMemory& memory_;
  std::size_t pages_ = 0;
  Address example_ = 0;
  std::map<Address, Address> pools_, metadata_;  // where they begin and end
};

}  // namespace

void find_partition_alloc(RuntimeScan& scan) { Finder(scan).find(); }

}  // namespace vmscan
