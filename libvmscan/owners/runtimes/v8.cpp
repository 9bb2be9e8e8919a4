// V8 (node, Electron without a sandbox): its heap consists of pages, which begin at multiples of 256 KiB with a header:
// size, flags, …, Heap*, area_start, area_end, …, and the reservation of the page as {allocator, address, size}. Since
// V8 12 flags come first, and since 13 the header is only {flags, pointer to the rest}. The rest contains its page's
// own address and size, which proves it. It also leads to the space that owns the page, whose class is read from its
// vtable where the image exports V8's symbols, as node does; otherwise flags tell young and read-only pages. Flags:
// src/heap/memory-chunk.h (FROM_PAGE and TO_PAGE have kept their bits since 2019). Seen on V8 11.3, 12.4 and 13.6 (node
// 20, 22 and 24) against v8.getHeapSpaceStatistics().
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "libvmscan/owners/runtimes/v8.h"

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
  Address allocator = 0;
  std::string_view space;  // empty: its class is not known
};

using Record = std::array<std::uint64_t, header_words>;

class Finder {
 public:
  explicit Finder(RuntimeScan& scan) : scan_(scan), memory_(scan.memory), word_(memory_.word_bytes()) {}

  void find() {
    read_classes();
    for_each_v8_boundary(scan_, [&](Address at) { look_at(at); });
    if (pages_.empty()) return;
    std::map<Address, const Page*> allocators;  // with one of their pages
    for (const Page& page : pages_) {
      scan_.add(page.range, name_of(page), fmt::format("page header at {:#x}", page.range.begin));
      allocators.emplace(page.allocator, &page);
    }
    for (const Range& page : read_only_)
      scan_.add(page, "V8 read-only space", fmt::format("page header at {:#x}", page.begin));
    for (const auto& [allocator, page] : allocators) add_reservation(allocator, *page);
  }

 private:
  void read_classes() {
    for (const ImageSymbols& exported : scan_.exported) {
      if (!exported.find("_ZTVN2v88internal5SpaceE")) continue;
      for (const SpaceClass& each : space_classes)
        if (const auto vtable = exported.find(each.vtable)) classes_[vtable->begin + 2 * word_] = each.name;
    }
  }

  std::optional<Record> record_at(Address address) {
    const std::byte* found = scan_.bytes(address, header_words * word_);
    if (found == nullptr) return std::nullopt;
    Record record;
    for (std::size_t i = 0; i < header_words; ++i)
      record[i] = memory_.word_at({found, header_words * word_}, i * word_);
    return record;
  }

  void look_at(Address at) {
    const auto header = record_at(at);
    if (!header) return;
    const auto [first, second] = std::pair((*header)[0], (*header)[1]);
    if (add_page(*header, at, first, second)) return;
    const Mapping* mapping = memory_.mapping_of(at);
    const bool newer = first < v8_most_flags && scan_.memory.mapping_of(second) != nullptr;
    if (const std::uint64_t flags = newer ? first : second; !mapping->write && flags < v8_most_flags) {
      // Pages of the read-only heap have no reservation any more: they count only beside others.
      if ((flags & v8_read_only) != 0)
        read_only_.push_back(
            {at, std::min(mapping->range.end, Range::make(at, v8_page_bytes).value_or(mapping->range).end)});
    } else if (newer && scan_.object(second)) {
      const auto record = record_at(second);
      for (std::size_t i = 0; record && i + 1 < header_words; ++i)
        if ((*record)[i] == at && add_page(*record, at, (*record)[i + 1], first)) return;
    }
  }

  /// Whether the record has where the objects of the page begin and end.
  static bool has_area(const Record& record, Address at, std::uint64_t size) {
    const auto begin = std::find_if(record.begin(), record.end(),
                                    [&](Address word) { return word > at && word - at <= longest_header; });
    return begin != record.end() &&
           std::any_of(record.begin(), record.end(), [&](Address word) { return word > *begin && word - at <= size; });
  }

  /// Takes the page of `size` bytes at `at`, if the record holds its reservation and the area of its objects.
  bool add_page(const Record& record, Address at, std::uint64_t size, std::uint64_t flags) {
    if (size == 0 || size % memory_.page_bytes() != 0 || size > most_page_bytes) return false;
    for (std::size_t i = 0; i + 2 < header_words; ++i) {
      if (record[i + 1] != at || record[i + 2] != size || !scan_.object(record[i])) continue;
      const auto range = Range::make(at, size);
      if (!range || !has_area(record, at, size) || !memory_.mapped(*range)) continue;
      pages_.push_back({.range = *range, .flags = flags, .allocator = record[i], .space = space_in(record)});
      return true;
    }
    return false;
  }

  /// The class of the space to which one of the words leads.
  std::string_view space_in(const Record& record) {
    if (classes_.empty()) return {};
    for (const Address owner : record) {
      if (!scan_.object(owner)) continue;
      const auto [known, fresh] = spaces_.try_emplace(owner);
      if (fresh)
        if (const auto found = classes_.find(scan_.word(owner).value_or(0)); found != classes_.end())
          known->second = found->second;
      if (!known->second.empty()) return known->second;
    }
    return {};
  }

  static std::string name_of(const Page& page) {
    if (!page.space.empty()) return fmt::format("V8 {}", page.space);
    return std::string(v8_space_by_flags(page.flags, page.range.size() > v8_page_bytes));
  }

  /// Address space from which an allocator of pages takes them, when it has bounds: the range for code, or a cage.
  void add_reservation(Address allocator, const Page& page) {
    const auto words = record_at(allocator);
    for (std::size_t i = 1; words && i + 1 < header_words; ++i) {
      const auto whole = Range::make((*words)[i], (*words)[i + 1]);
      if (!whole || whole->size() > most_reserved_bytes || !whole->contains(page.range) || whole->begin == 0 ||
          whole->begin % memory_.page_bytes() != 0 || whole->size() % memory_.page_bytes() != 0 ||
          !scan_.reservation_with(whole->begin).contains(*whole))
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
  std::map<Address, std::string_view> classes_;  // by vtable
  std::map<Address, std::string_view> spaces_;   // what was looked at; empty: no space
};

}  // namespace

std::string_view v8_space_by_flags(std::uint64_t flags, bool large) {
  if (flags & v8_read_only) return "V8 read-only space";
  if (flags & v8_young) return large ? "V8 young large object space" : "V8 young space";
  return large ? "V8 large object space" : "V8 old space";
}

void find_v8(RuntimeScan& scan) {
  if (v8_is_possible(scan)) Finder(scan).find();
}

}  // namespace vmscan
