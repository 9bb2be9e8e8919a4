#include "libvmscan/owners/allocators/glibc/glibc_places.h"

#include <algorithm>
#include <array>

#include "libvmscan/elf/elf_layout.h"
#include "libvmscan/memory/image_symbols.h"

namespace vmscan {
namespace {

constexpr std::size_t most_data_bytes = 16 << 20;  // of one image
constexpr std::size_t bin_pointers = 254;          // 2 * (NBINS - 1)
constexpr std::size_t longest_head = 0x90;         // of malloc_state, up to `top`
constexpr std::size_t least_head = 8;              // mutex, flags
constexpr std::size_t most_counters = 64;
constexpr std::size_t most_ring = 1 << 16;
constexpr std::uint64_t default_threshold = 128 << 10;  // of mp_, three times
constexpr std::uint32_t default_most_mapped = 65536;

bool is_libc(const TargetMemory&, std::string_view path) {
  const std::string_view name = file_name(path);
  return name.starts_with("libc.so") || name.starts_with("libc-2");
}
/// A static program has its own.
bool is_program(const TargetMemory& memory, std::string_view path) { return path == memory.facts().target.executable; }
constexpr std::array owners{is_libc, is_program};

/// From `top` to `next`: top, last_remainder, bins, binmap.
std::size_t top_to_next(std::size_t word) { return (2 + bin_pointers) * word + 16; }

/// mmapped_mem, behind the four counts; words begin at multiples of their size.
Address sizes_of(Address counters, std::size_t word) { return (counters + 16 + word - 1) / word * word; }

/// Looks into the file of one image, before it was relocated.
class FileFinder {
 public:
  FileFinder(const TargetMemory& memory, const LoadedImage& loaded)
      : bytes_(memory, loaded), loaded_(loaded), word_(memory.word_bytes()) {}

  /// Whether the file could be read; then what it does not tell is not there.
  bool readable() const {
    std::array<std::byte, 4> magic;
    return bytes_.read_file(loaded_.bias + first_address(), magic);
  }

  std::optional<GlibcPlaces> find() {
    for (const ElfSegment& segment : loaded_.image->segments)
      if (segment.write && segment.file_size > 0) look_into(segment);
    return std::move(found_);
  }

 private:
  Address first_address() const {
    return loaded_.image->segments.empty() ? 0 : loaded_.image->segments.front().address;
  }

  std::uint64_t at(std::size_t offset) const { return load_little_endian(data_, offset, word_); }

  void look_into(const ElfSegment& segment) {
    begin_ = segment.address;
    const auto& relro = loaded_.image->relro;  // main_arena is changed, and so lies behind it
    if (relro && relro->begin == begin_ && relro->end - begin_ < segment.file_size) begin_ = relro->end;
    begin_ = begin_ / word_ * word_;
    const std::uint64_t size = segment.address + segment.file_size - begin_;
    data_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(size, most_data_bytes)));
    if (!bytes_.read_file(loaded_.bias + begin_, data_)) return;
    if (!found_) find_pointer_to_itself();
    if (!found_) find_relocation();
    if (found_ && found_->counters.empty()) find_parameters();
  }

  void find_pointer_to_itself() {
    const std::size_t least = top_to_next(word_) + least_head;
    for (std::size_t i = least; i + word_ <= data_.size() && !found_; i += word_)
      if (const std::uint64_t distance = begin_ + i - at(i); distance - least <= longest_head - least_head)
        try_arena(begin_ + i, at(i));
  }

  /// Where relocations have their addends with them, the words themselves are 0.
  void find_relocation() {
    const std::size_t entry = 3 * word_;
    const auto [table, size] = relocations();
    std::vector<std::byte> bytes(static_cast<std::size_t>(std::min<std::uint64_t>(size, most_data_bytes)) / entry *
                                 entry);
    if (bytes.empty() || !bytes_.read_file(loaded_.bias + table, bytes)) return;
    const std::size_t least = top_to_next(word_) + least_head;
    for (std::size_t i = 0; i < bytes.size() && !found_; i += entry) {
      const Address next = load_little_endian(bytes, i, word_);
      const Address arena = load_little_endian(bytes, i + 2 * word_, word_);
      if (next - arena - least <= longest_head - least_head) try_arena(next, arena);
    }
  }

  /// DT_RELA and DT_RELASZ.
  std::pair<Address, std::uint64_t> relocations() const {
    std::pair<Address, std::uint64_t> found;
    if (!loaded_.image->dynamic) return found;
    const Range section = *loaded_.image->dynamic;
    std::vector<std::byte> bytes(static_cast<std::size_t>(std::min<std::uint64_t>(section.size(), 1 << 14)));
    if (!bytes_.read_file(loaded_.bias + section.begin, bytes)) return found;
    for (std::size_t i = 0; i + 2 * word_ <= bytes.size(); i += 2 * word_) {
      const std::uint64_t tag = load_little_endian(bytes, i, word_),
                          value = load_little_endian(bytes, i + word_, word_);
      if (tag == elf::dt_null) break;
      if (tag == elf::dt_rela) found.first = value;
      if (tag == elf::dt_relasz) found.second = value;
    }
    return found;
  }

  /// All of it is 0 but `next` and, since 2.23, attached_threads, which is 1.
  void try_arena(Address next, Address arena) {
    const std::size_t from = static_cast<std::size_t>(arena - begin_), to = static_cast<std::size_t>(next - begin_);
    if (arena < begin_ || arena % word_ != 0 || to > data_.size() || data_.size() - to < 5 * word_) return;
    if (std::any_of(data_.begin() + static_cast<std::ptrdiff_t>(from), data_.begin() + static_cast<std::ptrdiff_t>(to),
                    [](std::byte each) { return each != std::byte{0}; }))
      return;
    if (at(to + word_) != 0 || at(to + 2 * word_) > 1 || at(to + 3 * word_) != 0) return;
    const std::size_t length = to - from;
    found_ = {.main_arena = loaded_.bias + arena, .top = length - top_to_next(word_), .next = length, .counters = {}};
  }

  /// Thresholds of 128 KiB (top_pad is 0 in some builds), arena_test, which is 2 or 8, and further on n_mmaps_max.
  void find_parameters() {
    for (std::size_t i = 0; i + 5 * word_ <= data_.size(); i += word_) {
      const bool thresholds = at(i) == default_threshold && at(i + 2 * word_) == default_threshold &&
                              (at(i + word_) == default_threshold || at(i + word_) == 0);
      if (!thresholds || at(i + 3 * word_) != (word_ == 8 ? 8 : 2)) continue;
      for (std::size_t to = i + 5 * word_; to <= i + 9 * word_ && to + 16 <= data_.size(); to += 4)
        if (half(to) == 0 && half(to + 4) == default_most_mapped && half(to + 8) == 0 && half(to + 12) == 0) {
          found_->counters.push_back(loaded_.bias + begin_ + to);
          return;
        }
    }
  }
  std::uint64_t half(std::size_t offset) const { return load_little_endian(data_, offset, 4); }

  ImageBytes bytes_;
  const LoadedImage& loaded_;
  std::size_t word_;
  Address begin_ = 0;  // of data_, before relocation
  std::vector<std::byte> data_;
  std::optional<GlibcPlaces> found_;
};

/// Looks into the data of images as they are in memory.
class MemoryFinder {
 public:
  explicit MemoryFinder(const TargetMemory& memory) : memory_(memory), word_(memory.word_bytes()) {}

  std::optional<GlibcPlaces> find(const std::vector<Range>& data) {
    for (const Range& range : data) {
      std::vector<std::byte> bytes;
      for (const Range& run : memory_.readable(range)) {
        bytes.resize(static_cast<std::size_t>(std::min<std::uint64_t>(run.size(), most_data_bytes)));
        bytes.resize(memory_.read(run.begin, bytes));
        if (!found_) find_arena(run.begin, bytes);
        note_counters(run.begin, bytes);
      }
    }
    if (found_) found_->counters = std::move(counters_);
    return std::move(found_);
  }

 private:
  /// Each word may be `next`: what it leads to must lead back to where it would be the main arena's.
  void find_arena(Address at, std::span<const std::byte> bytes) {
    const std::size_t least = top_to_next(word_) + least_head;
    for (std::size_t i = least; i + word_ <= bytes.size() && !found_; i += word_) {
      const Address next = memory_.word_at(bytes, i);
      if (at + i - next - least <= longest_head - least_head) {
        try_arena(at + i, next, bytes.subspan(i - top_to_next(word_)));
      } else if (next % memory_.page_bytes() <= 16 * word_ && next != 0 && may_be_mapped_arena(memory_, next)) {
        for (std::size_t head = least_head; head <= longest_head && !found_; head += word_)
          try_arena(at + i, at + i - top_to_next(word_) - head, bytes.subspan(i - top_to_next(word_)));
      }
    }
  }

  void try_arena(Address next_at, Address arena, std::span<const std::byte> from_top) {
    const std::size_t next = static_cast<std::size_t>(next_at - arena);
    if (arena % word_ != 0 || !ring_closes(arena, next) || !has_bins(next_at - top_to_next(word_), from_top)) return;
    found_ = {.main_arena = arena, .top = next - top_to_next(word_), .next = next, .counters = {}};
  }

  bool ring_closes(Address start, std::size_t next) const {
    Address at = start;
    for (std::size_t steps = 0; steps < most_ring; ++steps) {
      const auto following = memory_.word(at + next);
      if (following == start) return true;
      if (!following || !may_be_mapped_arena(memory_, *following)) return false;
      at = *following;
    }
    return false;
  }

  /// Each bin is empty or its chunks link back to it. Of a process that runs, some may be changing, and of the chunks
  /// of others nothing can be read: most must be right.
  bool has_bins(Address top_at, std::span<const std::byte> bytes) const {
    constexpr std::size_t most_looks = 16;
    std::size_t wrong = 0, looks = 0;
    for (std::size_t i = 2 * word_; i < (2 + bin_pointers) * word_; i += 2 * word_) {
      const Address bin = top_at + i - 2 * word_;
      const Address first = memory_.word_at(bytes, i), last = memory_.word_at(bytes, i + word_);
      if (first == bin && last == bin) continue;
      const bool possible = first % (2 * word_) == 0 && last % (2 * word_) == 0 && first != bin && last != bin;
      if (!possible) ++wrong;
      if (!possible || looks == most_looks) continue;
      ++looks;
      const auto back = memory_.word(first + 3 * word_), on = memory_.word(last + 2 * word_);
      if ((back && *back != bin) || (on && *on != bin) || (!back && memory_.mapping_of(first) == nullptr)) ++wrong;
    }
    return wrong <= 4;
  }

  /// What looks like n_mmaps, in the middle of a malloc_par.
  void note_counters(Address at, std::span<const std::byte> bytes) {
    const auto small = [&](std::size_t i, std::uint64_t least) {
      return memory_.word_at(bytes, i) >= least && memory_.word_at(bytes, i) <= most_ring;
    };
    for (std::size_t i = 5 * word_; i + 16 + 5 * word_ <= bytes.size() && counters_.size() < most_counters; i += 4) {
      const std::uint32_t blocks = memory_.half_at(bytes, i), limit = memory_.half_at(bytes, i + 4),
                          most = memory_.half_at(bytes, i + 8);
      if (limit == 0 || limit > (1U << 24) || blocks > most || most > limit || memory_.half_at(bytes, i + 12) > 1)
        continue;
      const std::size_t short_form = i - 2 * word_, long_form = short_form - 2 * word_ - 4;  // arena_test, arena_max
      const bool tunables =
          (i % word_ == 0 && small(short_form, 1) && small(short_form + word_, 0)) ||
          (i >= 7 * word_ + 4 && (i - 4) % word_ == 0 && small(long_form, 1) && small(long_form + word_, 0));
      if (!tunables) continue;
      const auto counters = read_glibc_counters(memory_, at + i);
      if (counters && counters->sbrk_base != 0 && (blocks == 0) == (counters->bytes == 0)) counters_.push_back(at + i);
    }
  }

  const TargetMemory& memory_;
  std::size_t word_;
  std::optional<GlibcPlaces> found_;
  std::vector<Address> counters_;
};

/// Without .bss: both are initialised.
std::vector<Range> initialised_data(const TargetMemory& memory, bool (*is)(const TargetMemory&, std::string_view)) {
  std::vector<Range> data = memory.image_data(is);
  for (Range& range : data)
    if (const Mapping* mapping = memory.mapping_of(range.begin)) range = range.intersect(mapping->range);
  return data;
}

/// Where memory of the program's own begins, in brk or in a mapping.
bool is_begin_of_heap(const TargetMemory& memory, Address base) {
  const Mapping* mapping = base == 0 ? nullptr : memory.mapping_of(base);
  return mapping != nullptr && mapping->inode == 0 && !mapping->shared;
}

}  // namespace

std::optional<GlibcPlaces> find_glibc_places(const TargetMemory& memory) {
  const std::vector<LoadedImage> images = loaded_images(memory);
  for (const auto is : owners) {
    bool told = false;
    for (const LoadedImage& loaded : images) {
      if (!is(memory, loaded.mapping->path)) continue;
      FileFinder finder(memory, loaded);
      if (!finder.readable()) continue;
      told = true;
      if (auto found = finder.find()) return found;
    }
    if (told) continue;
    if (auto found = MemoryFinder(memory).find(initialised_data(memory, is))) return found;
  }
  return std::nullopt;
}

std::optional<GlibcCounters> read_glibc_counters(const TargetMemory& memory, Address place) {
  const std::size_t word = memory.word_bytes();
  const auto sizes = static_cast<std::size_t>(sizes_of(place, word) - place);
  std::vector<std::byte> bytes(sizes + 4 * word);
  if (memory.read(place, bytes) != bytes.size()) return std::nullopt;
  const std::uint64_t page = memory.page_bytes(), peak = memory.word_at(bytes, sizes + word);
  GlibcCounters counters{.blocks = memory.half_at(bytes, 0), .bytes = memory.word_at(bytes, sizes), .sbrk_base = 0};
  if (counters.bytes > peak || counters.bytes % page != 0 || peak % page != 0 ||
      counters.bytes / page < counters.blocks)
    return std::nullopt;
  for (const std::size_t behind : {2 * word, 3 * word}) {  // before 2.24, max_total_mem stands between
    const Address base = memory.word_at(bytes, sizes + behind);
    if (counters.sbrk_base == 0 && is_begin_of_heap(memory, base)) counters.sbrk_base = base;
  }
  return counters;
}

bool may_be_mapped_arena(const TargetMemory& memory, Address arena) {
  const Address heap = arena - arena % memory.page_bytes();
  const std::size_t word = memory.word_bytes();
  if (arena % word != 0 || arena == heap || arena - heap > 16 * word) return false;
  // One that was made after the map was read counts, too.
  const bool possible = memory.mapping_of(arena) == nullptr || memory.writable(arena);
  return possible && memory.word(heap) == arena;
}

bool holds_data_of_libc(const TargetMemory& memory) {
  bool any = false;
  for (const auto is : owners)
    for (const Range& data : memory.image_data(is)) {
      for (const Range& run : memory.readable(data))
        if (memory.word(run.begin)) return true;
      any = true;
    }
  return !any;
}

}  // namespace vmscan
