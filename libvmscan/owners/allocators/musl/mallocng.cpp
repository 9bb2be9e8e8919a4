#include "libvmscan/owners/allocators/musl/mallocng.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <unordered_map>
#include <unordered_set>

namespace vmscan {
namespace {

constexpr std::uint64_t area_bytes = 4096, unit = 16, slot_tail = 4;  // a slot ends in 4 bytes of the next one's header
constexpr std::size_t most_areas = 1 << 18;
constexpr std::uint64_t most_slots = std::uint64_t{1} << 32;  // of one size class: more is something else
constexpr std::array<std::uint16_t, 48> class_units{
    1,   2,   3,   4,    5,    6,    7,    8,    9,    10,   12,   15,   18,   20,   25,   31,
    36,  42,  50,  63,   72,   84,   102,  127,  146,  170,  204,  255,  292,  340,  409,  511,
    584, 682, 818, 1023, 1169, 1364, 1637, 2047, 2340, 2730, 3276, 4095, 4680, 5460, 6552, 8191};

bool may_have_malloc(const TargetMemory& memory, std::string_view path) {
  const std::string_view name = file_name(path);
  return name.starts_with("ld-musl") || name.starts_with("libc.") || path == memory.facts().target.executable;
}

class Finder {
 public:
  explicit Finder(const TargetMemory& memory) : memory_(memory), word_(memory.word_bytes()), cache_(memory) {}

  MallocngHeaps find() {
    if (has_glibc(memory_.facts())) return {};
    for (const Range& data : memory_.image_data(may_have_malloc)) {
      for_each_piece(memory_, data, [&](Address at, std::span<const std::byte> bytes) {
        for (std::size_t i = 0; i + 16 + 10 * word_ <= bytes.size() && found_.context == 0; i += 4)
          try_context(at, bytes, i);
        return found_.context == 0;
      });
      if (found_.context != 0) break;
    }
    if (found_.context == 0) return {};
    found_.counted = read_usage();
    for (const Range& area : found_.areas) read_area(area.begin);
    hold_groups();
    count_again();
    return std::move(found_);
  }

 private:
  std::uint64_t long_at(std::span<const std::byte> bytes, std::size_t offset) const {
    return load_little_endian(bytes, offset, 8);
  }

  void try_context(Address at, std::span<const std::byte> bytes, std::size_t i) {
    const std::uint64_t secret = long_at(bytes, i);
    if (secret == 0) return;
    for (const std::size_t done : {std::size_t{8}, 8 + word_}) {  // with `pagesize` before it
      if (memory_.half_at(bytes, i + done) != 1) continue;
      const Address head = memory_.word_at(bytes, i + done + 8 + 5 * word_),
                    tail = memory_.word_at(bytes, i + done + 8 + 6 * word_);
      if (head == 0 || head % area_bytes != 0 || tail % area_bytes != 0 || check_of(head) != secret ||
          check_of(tail) != secret)
        continue;
      found_.context = at + i;
      usage_ = found_.context + done + 8 + (5 + 3 + class_units.size()) * word_;
      add_areas(head, secret);
      return;
    }
  }

  std::optional<std::array<std::uint64_t, 48>> read_usage() const {
    std::array<std::uint64_t, 48> usage{};
    std::array<std::byte, 48 * 8> bytes{};
    if (memory_.read(usage_, std::span(bytes).first(48 * word_)) != 48 * word_) return std::nullopt;
    for (std::size_t i = 0; i < usage.size(); ++i) {
      usage[i] = memory_.word_at(bytes, i * word_);
      if (usage[i] > most_slots) return std::nullopt;
    }
    if (std::ranges::all_of(usage, [](std::uint64_t count) { return count == 0; })) return std::nullopt;
    return usage;
  }

  /// What it counted all the time.
  void count_again() {
    const auto again = read_usage();
    if (!again || !found_.counted) return found_.counted.reset();
    for (std::size_t i = 0; i < again->size(); ++i) (*found_.counted)[i] = std::min((*found_.counted)[i], (*again)[i]);
  }

  std::optional<std::uint64_t> check_of(Address area) {
    if (!memory_.writable(area)) return std::nullopt;
    const auto bytes = cache_.at(area, 8);
    if (bytes.empty()) return std::nullopt;
    return long_at(bytes, 0);
  }

  void add_areas(Address head, std::uint64_t secret) {
    std::unordered_set<Address> seen;
    for (Address area = head; area != 0 && seen.size() < most_areas && seen.insert(area).second;) {
      const auto range = Range::make(area, area_bytes);
      if (!range || area % area_bytes != 0 || check_of(area) != secret) return;
      found_.areas.push_back(*range);
      area = cache_.word(area + 8).value_or(0);
    }
  }

  void read_area(Address area) {
    const auto page = cache_.at(area, area_bytes);
    if (page.empty()) return;
    const std::vector<std::byte> bytes(page.begin(), page.end());
    const std::size_t first = word_ == 8 ? 24 : 16, meta_bytes = 4 * word_ + 8;
    for (std::size_t at = first; at + meta_bytes <= bytes.size(); at += meta_bytes)
      if (memory_.word_at(bytes, at + 2 * word_) != 0) read_meta(area + at, std::span(bytes).subspan(at, meta_bytes));
  }

  void read_meta(Address meta, std::span<const std::byte> bytes) {
    MallocngGroup group{.meta = meta, .memory = memory_.word_at(bytes, 2 * word_)};
    const std::uint32_t available = memory_.half_at(bytes, 3 * word_), freed = memory_.half_at(bytes, 3 * word_ + 4);
    const std::uint64_t bits = memory_.word_at(bytes, 3 * word_ + 8);
    group.slots = static_cast<std::uint32_t>(bits & 31) + 1;
    group.size_class = static_cast<std::uint32_t>(bits >> 6 & 63);
    group.mapped = bits >> 12 < std::uint64_t{1} << 40 ? (bits >> 12) * area_bytes : 0;
    group.free = available | freed;
    const std::uint64_t all = (std::uint64_t{2} << (group.slots - 1)) - 1;
    const bool possible =
        group.size_class < class_units.size() || (group.size_class == 63 && group.mapped != 0 && group.slots == 1);
    if (!possible || group.memory % unit != 0 || (available & freed) != 0 || (group.free & ~all) != 0 ||
        cache_.word(group.memory) != meta) {
      ++found_.rejected;
      return;
    }
    group.stride = group.slots == 1 && group.mapped != 0 ? group.mapped - unit : unit * class_units[group.size_class];
    const auto range = Range::make(group.memory, group.mapped != 0 ? group.mapped : unit + group.slots * group.stride);
    if (!range || !memory_.mapped(*range) ||
        (group.mapped != 0 && unit + group.slots * group.stride > group.mapped + slot_tail))
      ++found_.rejected;
    else
      found_.groups.push_back(group);
  }

  /// Finds for each group without a mapping the slot that holds it: what stands before a block leads to its group.
  void hold_groups() {
    std::unordered_map<Address, std::size_t> by_meta;
    for (std::size_t i = 0; i < found_.groups.size(); ++i) by_meta[found_.groups[i].meta] = i;
    for (MallocngGroup& group : found_.groups) {
      if (group.mapped != 0) continue;
      const auto before = cache_.at(group.memory - 8, 8);
      if (before.empty()) continue;
      const std::uint64_t bytes = long_at(before, 0);
      const std::uint64_t offset = (bytes >> 32 & 0xff) != 0 ? bytes & 0xffffffff : bytes >> 48;
      const std::uint32_t slot = static_cast<std::uint32_t>(bytes >> 40 & 31);
      if (unit * offset + unit > group.memory) continue;
      const Address base = group.memory - unit * offset - unit;
      const auto owner = by_meta.find(cache_.word(base).value_or(0));
      if (owner == by_meta.end()) continue;
      MallocngGroup& holder = found_.groups[owner->second];
      if (holder.memory != base || slot >= holder.slots || &holder == &group || (holder.free >> slot & 1) != 0 ||
          unit + group.slots * group.stride > holder.stride)
        continue;
      holder.groups |= std::uint32_t{1} << slot;
      group.held = true;
    }
  }

  const TargetMemory& memory_;
  std::size_t word_;
  PageCache cache_;
  MallocngHeaps found_;
  Address usage_ = 0;  // of usage_by_class
};

/// size_to_class() in meta.h; the smaller of two neighbouring classes may be left out while there are few blocks.
SizeClass kind_of(const MallocngGroup& group) {
  SizeClass kind{.size = group.stride, .least_request = 0, .most_request = group.stride - slot_tail};
  if (group.slots == 1 && group.mapped != 0) {
    kind.least_request = kind.most_request - std::min<std::uint64_t>(kind.most_request, area_bytes - 1);
    return kind;
  }
  const std::uint32_t index = group.size_class;
  const std::uint32_t back = index >= 5 && index < 32 && index % 2 == 1 && index != 7 ? 2 : 1;
  if (index >= back) kind.least_request = unit * class_units[index - back] - slot_tail + 1;
  return kind;
}

class Walker {
 public:
  Walker(AllocatorWalk& walk, const MallocngHeaps& found) : walk_(walk), found_(found), cache_(walk.memory()) {}

  void run() {
    const std::size_t heap = walk_.add_heap("mallocng"), metadata = walk_.add_heap("mallocng metadata");
    for (const MallocngGroup& group : found_.groups) {
      if (!group.held) walk_.heap(heap).ranges.push_back(group.range());
      add_slots(heap, group);
    }
    walk_.heap(heap).broken += found_.rejected;
    walk_.heap(metadata).ranges = found_.areas;
    walk_.finish(heap, AllocatorWalk::Rest::Overhead);
  }

 private:
  void add_slots(std::size_t heap, const MallocngGroup& group) {
    const SizeClass kind = kind_of(group);
    for (std::uint32_t i = 0; i < group.slots; ++i) {
      if ((group.groups >> i & 1) != 0) continue;
      const BlockState state = (group.free >> i & 1) != 0 ? BlockState::Free : BlockState::Live;
      walk_.add(heap, kind, state);
      const Address begin = group.memory + unit + i * group.stride;
      const Range slot{begin, begin + group.stride};
      walk_.reside(heap, slot, state == BlockState::Free ? &PartBytes::free : &PartBytes::live);
      if (walk_.wants(kind, slot))
        walk_.see(heap, kind, state == BlockState::Live ? block_in(begin) : begin, slot, state);
    }
  }

  /// A block may begin some units into its slot: then its beginning says so (enframe() in meta.h).
  Address block_in(Address slot) {
    const auto before = cache_.half(slot - slot_tail);
    return before && (*before >> 8 & 0xff) == 0xe0 ? slot + unit * (*before >> 16) : slot;
  }

  AllocatorWalk& walk_;
  const MallocngHeaps& found_;
  PageCache cache_;
};

}  // namespace

Range MallocngGroup::range() const { return {memory, memory + (mapped != 0 ? mapped : unit + slots * stride)}; }

void check_mallocng(const MallocngHeaps& found, HeapShortfall::Figures figures,
                    std::vector<HeapShortfall>& shortfalls) {
  if (!found.counted) return;
  auto missing = *found.counted;
  for (const MallocngGroup& group : found.groups)
    if (group.size_class < missing.size() && (group.mapped != 0 || group.held))
      missing[group.size_class] -= std::min<std::uint64_t>(missing[group.size_class], group.slots);
  BlockSum sum;
  for (std::size_t i = 0; i < missing.size(); ++i) sum += {missing[i], missing[i] * unit * class_units[i]};
  if (sum.blocks > 0)
    shortfalls.push_back({.allocator = "mallocng", .figures = figures, .blocks = sum.blocks, .bytes = sum.bytes});
}

MallocngHeaps find_mallocng(const TargetMemory& memory) { return Finder(memory).find(); }

void walk_mallocng(const TargetMemory& memory, const HeapOptions& options, HeapReport& report) {
  const MallocngHeaps found = find_mallocng(memory);
  if (found.context == 0) return;
  AllocatorWalk walk(memory, options, report, "mallocng");
  Walker(walk, found).run();
  check_mallocng(found, HeapShortfall::Figures::Blocks, report.shortfalls);
}

}  // namespace vmscan
