// HotSpot (OpenJDK): libjvm describes its structures in exported tables (vm_structs.h): the Java heap with its regions
// or generations, the code cache and the card table are read through them. Metaspace is not in the tables: a static
// variable of libjvm points to {name, list}, where the name is "non-class-space" or "class-space", and the list holds
// the same name, its first node, and the words reserved and committed (src/hotspot/share/memory/metaspace/
// virtualSpaceList.hpp); nodes whose sizes add up to the words reserved prove it.
// Seen on 17 (Debian) and 25 (Temurin), with G1, Parallel and Serial, against jcmd GC.heap_info and VM.native_memory.
// ZGC's heap is known by its name only.
#include <fmt/format.h>

#include <algorithm>

#include "libvmscan/owners/runtimes/runtimes.h"
#include "libvmscan/owners/runtimes/vm_structs.h"

namespace vmscan {
namespace {

constexpr std::uint64_t most_regions = 1 << 16, most_region_parts = 1 << 12;
constexpr std::uint64_t most_code_heaps = 8, most_nodes = 1 << 12;
constexpr std::size_t list_words = 8, node_words = 20;

class Finder {
 public:
  Finder(RuntimeScan& scan, const ImageSymbols& libjvm, VmStructs structs)
      : scan_(scan), memory_(scan.memory), libjvm_(libjvm), vm_(std::move(structs)), word_(memory_.word_bytes()) {}

  void find() {
    add_heap();
    add_code();
    add_card_table();
    add_metaspace();
    add_shared_classes();
    add_shared_heap();
  }

 private:
  std::uint64_t word(Address address) { return scan_.word(address).value_or(0); }
  std::uint64_t variable(const std::string& field) {
    const auto at = vm_.place(field);
    return at ? word(*at) : 0;
  }
  /// A word of an object; 0 when there is no such field.
  std::uint64_t field(Address object, const std::string& name) {
    const auto at = vm_.offset(name);
    return at && object != 0 ? word(object + *at) : 0;
  }
  /// The range between two addresses if all of it is mapped; otherwise empty.
  Range between(Address begin, Address end) const {
    const Range range{begin, end};
    return begin != 0 && !range.empty() && memory_.mapped(range) ? range : Range{};
  }
  Range virtual_space(Address object) {
    return between(field(object, "VirtualSpace::_low_boundary"), field(object, "VirtualSpace::_high_boundary"));
  }

  void add_heap() {
    const Address heap = variable("Universe::_collectedHeap");
    const auto at = vm_.offset("CollectedHeap::_reserved");
    if (heap == 0 || !at) return;
    const Address begin = field(heap + *at, "MemRegion::_start");
    const std::uint64_t words = field(heap + *at, "MemRegion::_word_size");
    const auto range = Range::make(begin, words <= ~std::uint64_t{0} / word_ ? words * word_ : 0);
    if (begin == 0 || !range || range->empty() || memory_.mapping_of(begin) == nullptr) return;
    evidence_ = fmt::format("Universe::_collectedHeap at {:#x}", heap);
    heap_ = *range;
    if (!add_g1_regions(heap) && !add_generations(heap)) add_heap_part(heap_, {});
  }

  void add_heap_part(Range range, std::string_view block) { scan_.add(range, "HotSpot Java heap", evidence_, block); }

  std::string_view g1_label(std::uint64_t tag) const {
    const auto has = [&](const char* name) {
      const auto mask = vm_.constant(std::string("HeapRegionType::") + name);
      const auto newer = mask ? mask : vm_.constant(std::string("G1HeapRegionType::") + name);
      return newer && *newer != 0 && (tag & static_cast<std::uint64_t>(*newer)) != 0;
    };
    if (tag == 0) return "free";
    if (has("YoungMask")) return "young";
    if (has("HumongousMask")) return "humongous";
    return has("OldMask") ? "old" : "archived";
  }

  /// The regions of G1; those that touch and are of one kind as one part. False: this is not G1's heap.
  bool add_g1_regions(Address heap) {
    const auto manager = vm_.offset("G1CollectedHeap::_hrm");
    const bool newer = vm_.offset("G1HeapRegionManager::_regions").has_value();
    const std::string prefix = newer ? "G1HeapRegion" : "HeapRegion";
    const auto regions = vm_.offset(prefix + "Manager::_regions"), kind = vm_.offset(prefix + "::_type"),
               tag = vm_.offset(prefix + "Type::_tag");
    if (!manager || !regions || !kind || !tag) return false;
    const Address table = heap + *manager + *regions;
    const Address base = field(table, "G1HeapRegionTable::_base");
    const std::uint64_t length = field(table, "G1HeapRegionTable::_length");
    if (!scan_.object(base) || length == 0 || length > most_regions || word(base) == 0 ||
        field(word(base), prefix + "::_bottom") != heap_.begin)
      return false;
    const std::uint64_t region_bytes = heap_.size() / length;
    std::vector<std::pair<Range, std::string_view>> found;
    for (std::uint64_t i = 0; i < length; ++i) {
      const Address region = word(base + i * word_);
      const Range range{heap_.begin + i * region_bytes, heap_.begin + (i + 1) * region_bytes};
      const std::string_view label =
          region == 0 ? "free" : g1_label(scan_.half(region + *kind + *tag).value_or(0) & 0xff);
      if (!found.empty() && found.back().second == label)
        found.back().first.end = range.end;
      else
        found.emplace_back(range, label);
    }
    if (found.size() > most_region_parts) return false;
    for (const auto& [range, label] : found) add_heap_part(range, label);
    return true;
  }

  /// Young and old of the Parallel and the Serial collector. False: neither's.
  bool add_generations(Address heap) {
    Range young = parallel_generation("PSYoungGen", variable("ParallelScavengeHeap::_young_gen")),
          old = parallel_generation("PSOldGen", variable("ParallelScavengeHeap::_old_gen"));
    for (const char* type : {"SerialHeap", "GenCollectedHeap"}) {
      const auto space = vm_.offset("Generation::_virtual_space");
      if (!young.empty() || !space) break;
      young = virtual_space(field(heap, fmt::format("{}::_young_gen", type)) + *space);
      old = virtual_space(field(heap, fmt::format("{}::_old_gen", type)) + *space);
    }
    if (young.empty() || old.empty() || !heap_.contains(young) || !heap_.contains(old) || young.overlaps(old))
      return false;
    add_heap_part(young, "young");
    add_heap_part(old, "old");
    return true;
  }

  Range parallel_generation(const std::string& type, Address generation) {
    const Address space = field(generation, type + "::_virtual_space");
    return between(field(space, "PSVirtualSpace::_reserved_low_addr"),
                   field(space, "PSVirtualSpace::_reserved_high_addr"));
  }

  void add_code() {
    const Range code = between(variable("CodeCache::_low_bound"), variable("CodeCache::_high_bound"));
    scan_.add(code, "HotSpot code cache", "CodeCache::_low_bound to _high_bound");
    const Address heaps = variable("CodeCache::_heaps");
    const auto length = vm_.offset("GrowableArrayBase::_len");
    const auto map = vm_.offset("CodeHeap::_segmap");
    if (code.empty() || !scan_.object(heaps) || !length || !map) return;
    const std::uint64_t count = scan_.half(heaps + *length).value_or(0);
    const Address data = field(heaps, "GrowableArray<int>::_data");
    for (std::uint64_t i = 0; i < std::min(count, most_code_heaps); ++i)
      if (const Address heap = word(data + i * word_); heap != 0)
        scan_.add(virtual_space(heap + *map), "HotSpot code cache's map", fmt::format("CodeHeap at {:#x}", heap));
  }

  void add_card_table() {
    const Address table = field(variable("BarrierSet::_barrier_set"), "CardTableBarrierSet::_card_table");
    const Address map = field(table, "CardTable::_byte_map");
    const auto range = Range::make(map, field(table, "CardTable::_byte_map_size"));
    // Tells it from what another kind of barrier set has in its place.
    const auto whole = vm_.offset("CardTable::_whole_heap");
    if (!range || !whole || field(table + *whole, "MemRegion::_start") != heap_.begin || heap_.empty()) return;
    scan_.add(between(range->begin, range->end), "HotSpot card table", fmt::format("CardTable at {:#x}", table));
  }

  void add_shared_classes() {
    scan_.add(
        between(variable("MetaspaceObj::_shared_metaspace_base"), variable("MetaspaceObj::_shared_metaspace_top")),
        "HotSpot shared classes", "MetaspaceObj::_shared_metaspace_base to _top");
  }

  /// ZGC maps its heap, several times over, from a file in memory.
  void add_shared_heap() {
    for (const Mapping& mapping : memory_.mappings())
      if (mapping.path.starts_with("/memfd:java_heap"))
        scan_.add_by_shape(mapping.range, "HotSpot Java heap", "its memfd is called java_heap");
  }

  void add_metaspace() {
    const Range image = libjvm_.bytes().loaded().span;
    for (const Address context : scan_.objects_pointed_to(image)) {
      const Address name = word(context);
      if (image.contains(name)) look_at_context(name, word(context + word_));
    }
  }

  void look_at_context(Address name, Address list) {
    if (!scan_.object(list)) return;
    const std::byte* found = scan_.bytes(list, list_words * word_);
    if (found == nullptr) return;
    std::array<std::uint64_t, list_words> words{};
    for (std::size_t i = 0; i < list_words; ++i) words[i] = memory_.word_at({found, list_words * word_}, i * word_);
    const auto at = std::find(words.begin(), words.begin() + 3, name);
    if (at == words.begin() + 3 || !scan_.object(at[1])) return;
    const auto text = libjvm_.bytes().text(name);
    if (text != "non-class-space" && text != "class-space") return;
    std::vector<Range> nodes;
    std::uint64_t reserved = 0;
    for (Address node = at[1]; node != 0 && scan_.object(node) && nodes.size() < most_nodes; node = word(node)) {
      const Range range = range_of_node(node);
      if (range.empty()) return;
      reserved += range.size() / word_;
      nodes.push_back(range);
    }
    if (std::find(at + 2, words.end(), reserved) == words.end()) return;
    for (const Range& range : nodes)
      scan_.add(range, *text == "class-space" ? "HotSpot class space" : "HotSpot metaspace",
                fmt::format("the list \"{}\" at {:#x}", *text, list));
  }

  /// {next, reservation, …, base, words, …}: the last pair of an address and a number of words that fits is the node's
  /// own, the reservation has bytes.
  Range range_of_node(Address node) {
    const std::byte* found = scan_.bytes(node, node_words * word_);
    if (found == nullptr) return {};
    std::array<std::uint64_t, node_words> words{};
    for (std::size_t i = 0; i < node_words; ++i) words[i] = memory_.word_at({found, node_words * word_}, i * word_);
    for (std::size_t i = 1; i + 1 < node_words; ++i) {
      if (words[i] == 0 || words[i] % memory_.page_bytes() != 0 || words[i + 1] >= std::uint64_t{1} << 48) continue;
      const auto range = Range::make(words[i], words[i + 1] * word_);
      // The same address stands before it with the same size in bytes.
      const auto again = std::find(words.begin() + 1, words.begin() + static_cast<std::ptrdiff_t>(i), words[i]);
      const bool twice = again != words.begin() + static_cast<std::ptrdiff_t>(i) && again[1] == words[i + 1] * word_;
      if (range && twice && !range->empty() && memory_.mapped(*range)) return *range;
    }
    return {};
  }

  RuntimeScan& scan_;
  const TargetMemory& memory_;
  const ImageSymbols& libjvm_;
  VmStructs vm_;
  std::size_t word_;
  Range heap_;
  std::string evidence_;
};

}  // namespace

void find_hotspot(RuntimeScan& scan) {
  for (const ImageSymbols& image : scan.exported)
    if (auto structs = VmStructs::read(image, scan.memory.word_bytes()))
      Finder(scan, image, std::move(*structs)).find();
}

}  // namespace vmscan
