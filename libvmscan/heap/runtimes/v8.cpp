// V8 (node, Electron without a sandbox): its heap consists of pages, which begin at multiples of 256 KiB with a header:
// size, flags, …, Heap*, area_start, area_end, …, and the reservation of the page as {allocator, address, size}. Since
// V8 12.4 the header is only {flags, pointer to such a record}. The record contains its page's own address and size,
// which proves it. The space that owns the page stands before the reservation; its class is read from its vtable,
// where the image exports V8's symbols, as node does; otherwise flags tell young and read-only pages.
// Flags: src/heap/memory-chunk.h (FROM_PAGE and TO_PAGE have kept their bits since 2019). Seen on V8 11.3 (node 20)
// against v8.getHeapSpaceStatistics().
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "libvmscan/heap/runtimes/v8.h"

namespace vmscan {
namespace {

constexpr std::size_t header_words = 24;
constexpr std::uint64_t most_page_bytes = std::uint64_t{1} << 36, most_reserved_bytes = std::uint64_t{1} << 42;
constexpr std::uint64_t longest_header = 32 << 10;

struct SpaceClass {
  std::string_view vtable, name;
};
constexpr SpaceClass space_classes[] = {
    {"_ZTVN2v88internal8NewSpaceE", "young space"},
    {"_ZTVN2v88internal9SemiSpaceE", "young space"},
    {"_ZTVN2v88internal17SemiSpaceNewSpaceE", "young space"},
    {"_ZTVN2v88internal13PagedNewSpaceE", "young space"},
    {"_ZTVN2v88internal21PagedSpaceForNewSpaceE", "young space"},
    {"_ZTVN2v88internal8OldSpaceE", "old space"},
    {"_ZTVN2v88internal9CodeSpaceE", "code space"},
    {"_ZTVN2v88internal8MapSpaceE", "map space"},
    {"_ZTVN2v88internal11SharedSpaceE", "shared space"},
    {"_ZTVN2v88internal12TrustedSpaceE", "trusted space"},
    {"_ZTVN2v88internal13ReadOnlySpaceE", "read-only space"},
    {"_ZTVN2v88internal19NewLargeObjectSpaceE", "young large object space"},
    {"_ZTVN2v88internal16LargeObjectSpaceE", "large object space"},
    {"_ZTVN2v88internal19OldLargeObjectSpaceE", "large object space"},
    {"_ZTVN2v88internal20CodeLargeObjectSpaceE", "code large object space"},
    {"_ZTVN2v88internal22SharedLargeObjectSpaceE", "shared large object space"},
    {"_ZTVN2v88internal23TrustedLargeObjectSpaceE", "trusted large object space"},
};

/// What a page says of itself.
struct Page {
  Range range;
  std::uint64_t flags = 0;
  Address owner = 0, allocator = 0;  // 0: not known
};

class Finder {
 public:
  explicit Finder(RuntimeScan& scan) : scan_(scan), memory_(scan.memory), word_(memory_.word_bytes()) {}

  void find() {
    for_each_v8_boundary(scan_, [&](Address at) { look_at(at); });
    if (pages_.empty()) return;
    read_classes();
    for (const Page& page : pages_)
      scan_.add(page.range, name_of(page), fmt::format("page header at {:#x}", page.range.begin));
    for (const Range& page : read_only_)
      scan_.add(page, "V8 read-only space", fmt::format("page header at {:#x}", page.begin));
    for (const auto& [allocator, page] : allocators_) add_reservation(allocator, *page);
  }

 private:
  std::optional<std::uint64_t> in_record(std::span<const std::byte> record, std::size_t index) const {
    return memory_.word_at(record, index * word_);
  }

  void look_at(Address at) {
    const std::byte* header = scan_.bytes(at, header_words * word_);
    if (header == nullptr) return;
    std::array<std::byte, header_words * 8> copy{};
    std::copy_n(header, header_words * word_, copy.begin());
    const std::span<const std::byte> words = std::span<const std::byte>(copy).first(header_words * word_);
    const std::uint64_t first = memory_.word_at(words, 0), second = memory_.word_at(words, word_);
    if (auto page = page_in(words, at, first)) {
      page->flags = second;
      pages_.push_back(*page);
    } else if (is_read_only(words, at, first, second)) {
      read_only_.push_back({at, at + first});
    } else if (first < v8_most_flags && scan_.object(second)) {
      look_at_record(at, first, second);
    }
  }

  void look_at_record(Address at, std::uint64_t flags, Address record) {
    const std::byte* found = scan_.bytes(record, header_words * word_);
    if (found == nullptr) return;
    const std::span<const std::byte> words(found, header_words * word_);
    for (std::size_t i = 0; i + 1 < header_words; ++i) {
      if (memory_.word_at(words, i * word_) != at) continue;
      if (auto page = page_in(words, at, memory_.word_at(words, (i + 1) * word_))) {
        page->flags = flags;
        pages_.push_back(*page);
        return;
      }
    }
  }

  bool fits(Address at, std::uint64_t size) const {
    const auto range = Range::make(at, size);
    return range && size > 0 && size <= most_page_bytes && size % memory_.page_bytes() == 0 && memory_.mapped(*range);
  }

  bool has_area(std::span<const std::byte> words, Address at, std::uint64_t size) const {
    for (std::size_t i = 1; i + 1 < header_words; ++i) {
      const Address begin = memory_.word_at(words, i * word_), end = memory_.word_at(words, (i + 1) * word_);
      if (begin > at && begin - at <= longest_header && begin < end && end - at <= size) return true;
    }
    return false;
  }

  /// The page of `size` bytes at `at`, if the words hold its reservation and the area of its objects.
  std::optional<Page> page_in(std::span<const std::byte> words, Address at, std::uint64_t size) const {
    if (size == 0 || size % memory_.page_bytes() != 0 || size > most_page_bytes) return std::nullopt;
    for (std::size_t i = 1; i + 1 < header_words; ++i) {
      if (memory_.word_at(words, i * word_) != at || memory_.word_at(words, (i + 1) * word_) != size) continue;
      const Address allocator = memory_.word_at(words, (i - 1) * word_);
      if (!scan_.object(allocator) || !has_area(words, at, size) || !fits(at, size)) continue;
      return Page{.range = {at, at + size},
                  .flags = 0,
                  .owner = i >= 2 ? memory_.word_at(words, (i - 2) * word_) : 0,
                  .allocator = allocator};
    }
    return std::nullopt;
  }

  /// Pages of the read-only heap have no Heap and no reservation any more: they count only beside others.
  bool is_read_only(std::span<const std::byte> words, Address at, std::uint64_t size, std::uint64_t flags) const {
    const Mapping* mapping = memory_.mapping_of(at);
    return mapping != nullptr && !mapping->write && (flags & v8_read_only) != 0 && flags < v8_most_flags &&
           has_area(words, at, size) && fits(at, size);
  }

  void read_classes() {
    for (const Page& page : pages_) {
      allocators_.emplace(page.allocator, &page);
      if (scan_.object(page.owner) && !spaces_.contains(page.owner))
        spaces_[page.owner] = scan_.word(page.owner).value_or(0);
    }
    for (const ImageSymbols& exported : scan_.exported) {
      const Range image = exported.bytes().loaded().span;
      if (std::none_of(spaces_.begin(), spaces_.end(), [&](const auto& each) { return image.contains(each.second); }))
        continue;
      for (const SpaceClass& each : space_classes)
        if (const auto vtable = exported.find(each.vtable)) classes_[vtable->begin + 2 * word_] = each.name;
    }
  }

  std::string name_of(const Page& page) const {
    const auto space = spaces_.find(page.owner);
    const auto known = space != spaces_.end() ? classes_.find(space->second) : classes_.end();
    if (known != classes_.end()) return fmt::format("V8 {}", known->second);
    return std::string(v8_space_by_flags(page.flags, page.range.size() > v8_page_bytes));
  }

  /// Address space from which an allocator of pages takes them, when it has bounds: the range for code, or a cage.
  void add_reservation(Address allocator, const Page& page) {
    const std::byte* found = scan_.bytes(allocator, header_words * word_);
    if (found == nullptr) return;
    const std::span<const std::byte> words(found, header_words * word_);
    for (std::size_t i = 1; i + 1 < header_words; ++i) {
      const auto whole = Range::make(memory_.word_at(words, i * word_), memory_.word_at(words, (i + 1) * word_));
      if (!whole || whole->size() > most_reserved_bytes || !whole->contains(page.range) || whole->begin == 0 ||
          whole->begin % memory_.page_bytes() != 0 || whole->size() % memory_.page_bytes() != 0 ||
          !memory_.mapped(*whole))
        continue;
      add_gaps(*whole, name_of(page), fmt::format("reserved by the page allocator at {:#x}", allocator));
      return;
    }
  }

  void add_gaps(Range whole, const std::string& details, const std::string& evidence) {
    Address done = whole.begin;
    for (const Page& page : pages_) {
      if (!whole.contains(page.range)) continue;
      if (page.range.begin > done) scan_.add({done, page.range.begin}, details, evidence);
      done = std::max(done, page.range.end);
    }
    scan_.add({done, whole.end}, details, evidence);
  }

  RuntimeScan& scan_;
  const TargetMemory& memory_;
  std::size_t word_;
  std::vector<Page> pages_;  // by address
  std::vector<Range> read_only_;
  std::map<Address, const Page*> allocators_;  // with one of their pages
  std::map<Address, Address> spaces_;          // and their vtables
  std::map<Address, std::string_view> classes_;
};

}  // namespace

std::string_view v8_space_by_flags(std::uint64_t flags, bool large) {
  if (flags & v8_read_only) return "V8 read-only space";
  if (flags & v8_young) return large ? "V8 young large object space" : "V8 young space";
  return large ? "V8 large object space" : "V8 old space";
}

void find_v8(RuntimeScan& scan) { Finder(scan).find(); }

}  // namespace vmscan
