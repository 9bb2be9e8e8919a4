#include <algorithm>
#include <array>
#include <bit>
#include <unordered_map>

#include "libvmscan/base/range_list.h"
#include "libvmscan/owners/allocators/jemalloc/jemalloc.h"
#include "libvmscan/owners/allocators/leaf_map.h"

namespace vmscan {
namespace {

constexpr std::uint64_t page_bytes = 4096, leaf_alignment = 64;
constexpr std::uint64_t address_mask = (std::uint64_t{1} << 48) - 1;
constexpr std::size_t edata_bytes = 128, bitmap_offset = 64;
constexpr std::uint32_t size_classes = 232;  // SC_NSIZES; an extent that is not in use has this one, too
constexpr std::uint64_t base_step = 2 << 20;
constexpr std::size_t most_extents = 1 << 22, most_bases = 1 << 12;
constexpr std::size_t most_looks_for_bases = 1 << 16;
constexpr std::uint64_t most_tried_bytes = 256 << 20;  // of leaves that are tried
constexpr std::size_t most_tried_entries = 1 << 14, enough_proof = 32;
constexpr unsigned most_refusals = 3;  // of one leaf, which numbers of a program may seem to point to again and again

/// Where the fields of edata's bits begin: 5.3, 5.1 and 5.2, 5.0.
struct Layout {
  unsigned state_shift, state_bits, size_class_shift;
  unsigned free_shift() const { return size_class_shift + 8; }
};
constexpr std::array<Layout, 3> layouts{{{17, 3, 20}, {16, 2, 18}, {15, 2, 17}}};

/// The tree over all pages, as built for addresses of 48 bits, or of 57.
struct Tree {
  unsigned level_bits, levels;
  std::size_t entry_bytes;                                                         // of a leaf
  std::uint64_t pointers_bytes() const { return std::uint64_t{8} << level_bits; }  // of a root or a node
  std::uint64_t leaf_bytes() const { return std::uint64_t{entry_bytes} << level_bits; }
  std::uint64_t leaf_span() const { return page_bytes << level_bits; }
  std::uint64_t word_span() const { return page_bytes << (levels - 1) * level_bits; }  // of the root
};
constexpr Tree flat{18, 2, 8}, tall{15, 3, 16};

struct Entry {
  Address edata = 0;
  std::uint32_t size_class = 0;
  bool slab = false;
};

/// What an entry of a leaf holds: one word (flat), or an address and 32 bits.
struct RawEntry {
  std::uint64_t word = 0;
  std::uint32_t more = 0;
  bool tall = false;

  bool empty() const { return (tall ? word : word & address_mask) == 0; }
  std::optional<Entry> entry() const {
    const Address address = tall ? word : word & address_mask;
    const Entry entry{.edata = address & ~std::uint64_t{edata_bytes - 1},
                      .size_class = tall ? more >> 5 : static_cast<std::uint32_t>(word >> 48),
                      .slab = ((tall ? more : word) & 1) != 0};
    if (entry.edata == 0 || entry.size_class > size_classes) return std::nullopt;
    return entry;
  }
};

/// What most pointers are, and no entry: its bits beside the extent's address say that this is a slab where its size
/// class is the smallest, and of the seven below its address the upper two are free.
bool is_plain_pointer(std::uint64_t word) { return (word & 0x60) != 0 || (word >> 48 == 0 && (word & 1) == 0); }

std::uint64_t state_of(const Layout& layout, std::uint64_t bits) {
  return bits >> layout.state_shift & ((1U << layout.state_bits) - 1);
}

class Finder {
 public:
  explicit Finder(PageCache& cache) : memory_(cache.memory()), cache_(cache) {}

  JemallocHeaps find() {
    if (memory_.word_bytes() != 8 || memory_.page_bytes() != page_bytes) return {};
    found_.root = find_flat();
    if (found_.root == 0) found_.root = find_tall();
    if (found_.root == 0) return {};
    read_tree();
    untangle(found_.extents, [](JemallocExtent&, std::uint64_t) {});
    found_.metadata = joined(std::move(found_.metadata));
    return std::move(found_);
  }

 private:
  RawEntry raw_entry(std::span<const std::byte> bytes, std::size_t at) const {
    if (tree_.entry_bytes == 8) return {.word = memory_.word_at(bytes, at)};
    return {.word = memory_.word_at(bytes, at), .more = memory_.half_at(bytes, at + 8), .tall = true};
  }

  Address find_flat() {
    tree_ = flat;
    const auto plausible = [&](std::uint64_t, std::uint64_t word) {
      const RawEntry raw{.word = word};
      const auto entry = raw.entry();
      return raw.empty() || (entry && !is_plain_pointer(word) && memory_.writable(entry->edata));
    };
    const auto judge = [&](Range data, Address place, Address leaf) { return root_of(data, place, 0, leaf); };
    return find_root(memory_, tree_.pointers_bytes(), leaf_alignment, tree_.word_span(), plausible, judge,
                     tree_.leaf_bytes());
  }

  /// Here the root has pointers to nodes, and those to leaves.
  Address find_tall() {
    tree_ = tall;
    tried_bytes_ = 0;
    refusals_.clear();
    const auto plausible = [&](std::uint64_t, std::uint64_t word) {
      return possible_leaf(memory_, word, leaf_alignment, tree_.leaf_bytes());
    };
    const auto judge = [&](Range data, Address place, Address node) { return root_of_node(data, place, node); };
    return find_root(memory_, tree_.pointers_bytes(), leaf_alignment, tree_.word_span(), plausible, judge,
                     tree_.pointers_bytes());
  }

  /// A node holds nothing but pointers to leaves.
  Address root_of_node(Range data, Address place, Address node) {
    constexpr int most_leaves = 16;
    Address root = 0;
    int tried = 0;
    for_each_piece(
        memory_, {node, node + tree_.pointers_bytes()},
        [&](Address at, std::span<const std::byte> bytes) {
          tried_bytes_ += bytes.size();
          for (std::size_t i = 0; i + 8 <= bytes.size(); i += 8) {
            const Address leaf = memory_.word_at(bytes, i);
            if (leaf == 0) continue;
            if (++tried > most_leaves || !possible_leaf(memory_, leaf, leaf_alignment, tree_.leaf_bytes()))
              return false;
            root = root_of(data, place, (at + i - node) / 8, leaf);
            if (root != 0) return false;
          }
          return tried_bytes_ <= most_tried_bytes;
        },
        small_piece);
    return root;
  }

  /// The extents of a process that maps and unmaps all the time may be others than its map was.
  bool live() const { return memory_.facts().target.kind == TargetKind::Process; }
  std::size_t most_wrong(std::size_t seen) const { return live() ? 6 + seen / 2 : 2 + seen / 10; }

  /// The root, if `place` holds its pointer to a leaf, or to a node that has a leaf as its `number`: the first extents
  /// in it tell which pointer of the root's it is.
  Address root_of(Range data, Address place, std::uint64_t number, Address leaf) {
    unsigned& refusals = refusals_[leaf];
    if (refusals == most_refusals) return 0;
    ++refusals;
    Address root = 0;
    std::array<std::size_t, layouts.size()> proof{}, doubt{};
    std::size_t seen = 0, wrong = 0;
    for_each_piece(
        memory_, {leaf, leaf + tree_.leaf_bytes()},
        [&](Address at, std::span<const std::byte> bytes) {
          if (tried_bytes_ > most_tried_bytes) return false;
          tried_bytes_ += bytes.size();
          for (std::size_t i = 0; i + tree_.entry_bytes <= bytes.size(); i += tree_.entry_bytes) {
            const RawEntry raw = raw_entry(bytes, i);
            if (raw.empty()) continue;
            const auto index = (at + i - leaf) / tree_.entry_bytes;
            if (!judge(data, place, number, index, raw, root, proof, doubt)) ++wrong;
            // Extents that nobody uses, which may be the first thousand, prove nothing.
            if (++seen >= most_tried_entries || wrong > most_wrong(seen)) return false;
            if (*std::max_element(proof.begin(), proof.end()) >= enough_proof) return false;
          }
          return true;
        },
        small_piece);
    const auto best = static_cast<std::size_t>(std::max_element(proof.begin(), proof.end()) - proof.begin());
    const bool much_wrong = wrong * 10 > seen;
    if (root == 0 || (much_wrong && !(live() && wrong * 2 <= seen))) return 0;
    if (proof[best] < (much_wrong ? 4U : 2U) || proof[best] <= doubt[best]) return 0;
    layout_ = layouts[best];
    return root;
  }

  /// One entry of a leaf that is tried. Returns whether it makes sense.
  bool judge(Range data, Address place, std::uint64_t leaf, std::uint64_t index, const RawEntry& raw, Address& root,
             std::array<std::size_t, layouts.size()>& proof, std::array<std::size_t, layouts.size()>& doubt) {
    const auto entry = raw.entry();
    if (!entry || !memory_.writable(entry->edata)) return false;
    const auto bytes = cache_.at(entry->edata, edata_bytes);
    if (bytes.empty()) return false;
    const Address address = memory_.word_at(bytes, 8) & ~(page_bytes - 1);
    const std::uint64_t size = memory_.word_at(bytes, 16) & ~(page_bytes - 1);
    const auto range = Range::make(address, size);
    if (size == 0 || !range || !memory_.mapped(*range)) return false;
    const std::uint64_t number = address / tree_.leaf_span();
    const Address page = number * tree_.leaf_span() + index * page_bytes;
    const bool in_node = tree_.levels == 3;
    const std::uint64_t in_root = in_node ? number >> tree_.level_bits : number;
    if (!range->contains(page) || in_root > place / 8) return false;
    if (in_node && (number & ((1U << tree_.level_bits) - 1)) != leaf) return false;
    const Address here = place - 8 * in_root;
    if ((root != 0 && here != root) || !data.contains({here, here + tree_.pointers_bytes()})) return false;
    root = here;
    // What a leaf says of the last page, or of an extent that nobody uses, may be older than the extent.
    for (std::size_t i = 0; i < layouts.size() && page == range->begin; ++i)
      if (state_of(layouts[i], memory_.word_at(bytes, 0)) == 0)
        ++(agrees(layouts[i], *entry, bytes, size) ? proof : doubt)[i];
    return true;
  }

  /// Whether the bits of an edata, read so, say what its leaf and its bitmap say.
  bool agrees(const Layout& layout, const Entry& entry, std::span<const std::byte> bytes, std::uint64_t size) const {
    const std::uint64_t bits = memory_.word_at(bytes, 0);
    if (((bits >> layout.size_class_shift) & 0xff) != entry.size_class || ((bits >> 12 & 1) != 0) != entry.slab)
      return false;
    if (!entry.slab) return true;
    const std::uint64_t each = jemalloc_size_class(entry.size_class).size, free = bits >> layout.free_shift() & 0x3ff;
    if (each == 0 || each > size || size / each > 512) return false;
    std::uint64_t counted = 0;  // words behind the last region hold anything
    for (std::uint64_t i = 0; i * 64 < size / each; ++i)
      counted += static_cast<std::uint64_t>(std::popcount(memory_.word_at(bytes, bitmap_offset + 8 * i)));
    return free == counted;
  }

  void read_tree() {
    const auto read = [&](std::uint64_t number, Address leaf) {
      add_base(leaf);
      read_leaf(number, leaf);
    };
    const auto pointers = [&](Address at) { return Range{at, at + tree_.pointers_bytes()}; };
    if (tree_.levels == 2)
      return for_each_leaf(memory_, pointers(found_.root), leaf_alignment, read, tree_.leaf_bytes());
    for_each_leaf(
        memory_, pointers(found_.root), leaf_alignment,
        [&](std::uint64_t upper, Address node) {
          add_base(node);
          for_each_leaf(
              memory_, pointers(node), leaf_alignment,
              [&](std::uint64_t lower, Address leaf) { read(upper << tree_.level_bits | lower, leaf); },
              tree_.leaf_bytes());
        },
        tree_.pointers_bytes());
  }

  void read_leaf(std::uint64_t number, Address leaf) {
    Address behind = 0;  // the end of the extent that was seen last
    for_each_piece(memory_, {leaf, leaf + tree_.leaf_bytes()}, [&](Address at, std::span<const std::byte> bytes) {
      for (std::size_t i = 0; i + tree_.entry_bytes <= bytes.size(); i += tree_.entry_bytes) {
        const RawEntry raw = raw_entry(bytes, i);
        if (raw.empty()) continue;
        const Address page = number * tree_.leaf_span() + (at + i - leaf) / tree_.entry_bytes * page_bytes;
        if (page < behind) continue;
        if (const auto extent = extent_at(page, raw)) {
          behind = extent->range.end;
          found_.extents.push_back(*extent);
          if (found_.extents.size() >= most_extents) return false;
        }
      }
      return true;
    });
  }

  std::optional<JemallocExtent> extent_at(Address page, const RawEntry& raw) {
    const auto entry = raw.entry();
    if (!entry) return std::nullopt;
    const auto bytes = cache_.at(entry->edata, edata_bytes);
    if (bytes.empty()) return std::nullopt;
    const std::uint64_t bits = memory_.word_at(bytes, 0);
    JemallocExtent extent{.range = {}, .data = memory_.word_at(bytes, 8), .edata = entry->edata};
    const auto range = Range::make(extent.data & ~(page_bytes - 1), memory_.word_at(bytes, 16) & ~(page_bytes - 1));
    // Entries that were left behind when extents were joined are normal: pages inside another extent.
    if (!range || range->empty() || range->begin != page || !memory_.mapped(*range)) return std::nullopt;
    const std::uint64_t state = state_of(layout_, bits);
    extent.range = *range;
    extent.arena = static_cast<std::uint32_t>(bits & 0xfff);
    extent.slab = (bits >> 12 & 1) != 0;
    extent.state = state > 3 ? JemallocExtent::State::Dirty : static_cast<JemallocExtent::State>(state);
    extent.size_class = static_cast<std::uint32_t>(bits >> layout_.size_class_shift & 0xff);
    extent.free_regions = static_cast<std::uint32_t>(bits >> layout_.free_shift() & 0x3ff);
    add_base(entry->edata);
    return extent;
  }

  /// The block of metadata that holds `inside`, and those that are linked behind it.
  void add_base(Address inside) {
    const auto known = std::find_if(found_.metadata.rbegin(), found_.metadata.rend(),
                                    [&](const Range& each) { return each.contains(inside); });
    if (known != found_.metadata.rend()) return;
    Address begin = inside - inside % base_step;
    for (int back = 0; back < 64 && begin != 0 && looks_for_bases_ < most_looks_for_bases; ++back, begin -= base_step) {
      ++looks_for_bases_;
      const auto base = base_at(begin);
      if (!base) continue;
      if (base->contains(inside)) follow_bases(begin);
      return;
    }
  }

  std::optional<Range> base_at(Address begin) {
    const auto bytes = cache_.at(begin, 40);  // size, next, then an edata: bits, address, size
    if (bytes.empty()) return std::nullopt;
    const auto range = Range::make(begin, memory_.word_at(bytes, 0));
    const Address rest = memory_.word_at(bytes, 24);
    const auto unused = Range::make(rest, memory_.word_at(bytes, 32));
    if (!range || range->empty() || range->size() % base_step != 0 || !memory_.mapped(*range) || !unused ||
        rest < range->begin || unused->end != range->end)
      return std::nullopt;
    return range;
  }

  void follow_bases(Address begin) {
    while (begin != 0 && found_.bases.size() < most_bases) {
      const auto base = base_at(begin);
      if (!base || std::find(found_.bases.begin(), found_.bases.end(), begin) != found_.bases.end()) return;
      found_.bases.push_back(begin);
      found_.metadata.push_back(*base);
      begin = cache_.word(begin + 8).value_or(0);
    }
  }

  const TargetMemory& memory_;
  PageCache& cache_;
  std::unordered_map<Address, unsigned> refusals_;
  JemallocHeaps found_;
  Tree tree_ = flat;
  Layout layout_ = layouts[0];
  std::size_t looks_for_bases_ = 0;
  std::uint64_t tried_bytes_ = 0;
};

}  // namespace

SizeClass jemalloc_size_class(std::uint32_t index) {
  const auto size = [](std::uint32_t i) -> std::uint64_t {
    if (i == 0) return 8;
    if (i <= 4) return std::uint64_t{16} * i;
    const unsigned group = (i - 5) / 4, step = (i - 5) % 4 + 1;
    return group > 56 ? 0 : (std::uint64_t{64} << group) + (std::uint64_t{16} << group) * step;
  };
  return {.size = size(index), .least_request = index == 0 ? 0 : size(index - 1) + 1, .most_request = size(index)};
}

JemallocHeaps find_jemalloc(PageCache& cache) { return Finder(cache).find(); }

}  // namespace vmscan
