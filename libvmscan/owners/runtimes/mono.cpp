// Mono's collector (sgen). The old generation is blocks of 16 KiB; the list of them (SgenArrayList, sgen-array-list.h)
// is an array of pointers to arrays of 32, 64, 128 … entries in libmono's data, each entry a block with flags in its
// lowest bits. The young generation is described by {begin, end, scan starts, …, their number}, one for every 8 KiB.
// Large objects lie in sections of 1 MiB, {next, free chunks, map of them}, whose map follows directly (sgen-los.c).
// None of this is exported; mono_gc_get_heap_size tells which image is Mono's. Executable memory that nothing else
// explains and that holds addresses in that image, where compiled code calls, is taken for Mono's code: a guess. Seen
// on 6.8 (Debian 12) against mono_gc_get_heap_size().
#include <fmt/format.h>

#include <algorithm>

#include "libvmscan/owners/runtimes/runtimes.h"

namespace vmscan {
namespace {

constexpr std::uint64_t block_bytes = 16 << 10, section_bytes = 1 << 20, scan_start_bytes = 8 << 10;
constexpr std::uint64_t flags = 7, first_bucket = 32, most_buckets = 24, most_nursery_bytes = std::uint64_t{1} << 34;
constexpr std::size_t least_blocks = 4, most_sections = 1 << 16, section_words = 8;

class Finder {
 public:
  explicit Finder(RuntimeScan& scan) : scan_(scan), memory_(scan.memory), word_(memory_.word_bytes()) {}

  void find(Range image) {
    scan_.for_each_data_run(image, [&](Address at, std::span<const std::byte> data) { find_blocks(at, data); });
    for (const Address object : scan_.objects_pointed_to(image)) {
      look_for_nursery(object);
      look_for_sections(object);
    }
    if (found_) add_code(image);
  }

 private:
  std::uint64_t word(Address address) { return scan_.word(address).value_or(0); }

  bool is_block(Address entry) const {
    return entry != 0 && (entry & ~flags) % block_bytes == 0 && memory_.writable(entry & ~flags);
  }

  /// A run of pointers to arrays that hold nothing but blocks, the last of them up to its first empty entry.
  void find_blocks(Address at, std::span<const std::byte> data) {
    for (std::size_t i = 0; i + word_ <= data.size(); i += word_) {
      const Address first = memory_.word_at(data, i);
      if (!scan_.object(first) || !is_block(word(first)) || !is_block(word(first + (least_blocks - 1) * word_)))
        continue;
      std::vector<Address> blocks;
      std::size_t bucket = 0;
      for (; bucket < most_buckets && i + (bucket + 1) * word_ <= data.size(); ++bucket)
        if (!read_bucket(memory_.word_at(data, i + bucket * word_), first_bucket << bucket, blocks)) break;
      if (blocks.size() >= least_blocks) add_blocks(std::move(blocks), at + i);
      i += bucket * word_;
    }
  }

  /// False when the list ends in this bucket, or it is none.
  bool read_bucket(Address bucket, std::uint64_t entries, std::vector<Address>& blocks) {
    if (!scan_.object(bucket)) return false;
    const std::size_t before = blocks.size();
    for (std::uint64_t i = 0; i < entries; ++i) {
      const auto entry = scan_.word(bucket + i * word_);
      if (!entry || *entry == 0) return false;
      if (!is_block(*entry)) {
        blocks.resize(before);
        return false;
      }
      blocks.push_back(*entry & ~flags);
    }
    return true;
  }

  void add_blocks(std::vector<Address> blocks, Address list) {
    std::sort(blocks.begin(), blocks.end());
    blocks.erase(std::unique(blocks.begin(), blocks.end()), blocks.end());
    for (std::size_t i = 0; i < blocks.size();) {
      Range run{blocks[i], blocks[i] + block_bytes};
      for (++i; i < blocks.size() && blocks[i] == run.end; ++i) run.end += block_bytes;
      add(run, "Mono old generation", fmt::format("the list of blocks at {:#x}", list));
    }
  }

  void add(Range range, std::string_view details, std::string evidence) {
    found_ = true;
    scan_.add(range, details, std::move(evidence));
  }

  void look_for_nursery(Address object) {
    const Range nursery{word(object), word(object + word_)};
    if (nursery.begin == 0 || nursery.empty() || nursery.size() > most_nursery_bytes ||
        nursery.begin % memory_.page_bytes() != 0 || nursery.size() % scan_start_bytes != 0)
      return;
    const std::uint64_t starts = nursery.size() / scan_start_bytes;
    for (std::size_t i = 3; i < section_words; ++i)
      if (word(object + i * word_) == starts && scan_.object(word(object + 2 * word_)) && memory_.mapped(nursery)) {
        add(nursery, "Mono young generation", fmt::format("GCMemSection at {:#x}", object));
        return;
      }
  }

  void look_for_sections(Address section) {
    for (std::size_t i = 0; i < most_sections && section != 0 && section % section_bytes == 0; ++i) {
      const auto range = Range::make(section, section_bytes);
      if (!scan_.object(section) || word(section + 2 * word_) != section + 3 * word_ || !range || scan_.taken(*range) ||
          !memory_.mapped(*range))
        return;
      add(*range, "Mono large objects", fmt::format("LOSSection at {:#x}", section));
      section = word(section);
    }
  }

  void add_code(Range image) {
    for (const Mapping& mapping : memory_.mappings())
      if (mapping.inode == 0 && !mapping.shared && mapping.path.empty() && mapping.execute && mapping.write &&
          scan_.calls_into(mapping, image))
        scan_.add_by_shape(mapping.range, "Mono code", "executable memory with addresses in Mono's image");
  }

  RuntimeScan& scan_;
  const TargetMemory& memory_;
  std::size_t word_;
  bool found_ = false;
};

}  // namespace

void find_mono(RuntimeScan& scan) {
  for (const ImageSymbols& image : scan.exported)
    if (image.find("mono_gc_get_heap_size")) Finder(scan).find(image.bytes().loaded().span);
}

}  // namespace vmscan
