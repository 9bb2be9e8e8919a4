// Maps that allocators keep over all pages of the address space, in two levels: a root in an image's .bss, an array of
// pointers to leaves, and leaves of 2^18 words, one for each page.
#pragma once

#include <algorithm>
#include <array>
#include <iterator>
#include <set>
#include <span>
#include <unordered_set>
#include <utility>

#include "libvmscan/memory/page_cache.h"

namespace vmscan {

inline constexpr std::uint64_t leaf_words = 1 << 18, leaf_bytes = leaf_words * 8;

/// Whether a leaf of so many bytes may be there, in writable memory.
inline bool possible_leaf(const TargetMemory& memory, Address leaf, std::uint64_t alignment,
                          std::uint64_t bytes = leaf_bytes) {
  const auto range = Range::make(leaf, bytes);
  return leaf % alignment == 0 && range && memory.writable(leaf) && memory.mapped(*range);
}

/// False when the first word that is not 0 in the first page of what may be a leaf cannot stand there, of a process
/// that runs meanwhile the first four: most pointers lead to something else, and are told apart by that without reading
/// more.
template <class Plausible>
bool begins_like_leaf(const TargetMemory& memory, Address leaf, Plausible plausible) {
  std::array<std::byte, 4096> page;
  const auto begin = std::span(page).first(static_cast<std::size_t>(page.size() - leaf % page.size()));
  const std::span<const std::byte> bytes = begin.first(memory.read_once(leaf, begin));
  const std::size_t most = memory.facts().target.kind == TargetKind::Process ? 4 : 1;
  std::size_t refused = 0;
  for (std::size_t i = 0; i + 8 <= bytes.size() && refused < most; i += 8)
    if (const std::uint64_t word = memory.word_at(bytes, i); word != 0) {
      if (plausible(i / 8, word)) return true;
      ++refused;
    }
  return refused == 0;
}

/// How many words of a root may not be 0 within a page of it. A root is a large array, of which a process uses one word
/// for each span of a leaf in which it has, or had, memory: data in which more are set is something else.
inline std::size_t most_words_in_page(const TargetMemory& memory, std::uint64_t leaf_span) {
  std::size_t spans = 0;
  Address end = 0;
  for (const Mapping& mapping : memory.mappings()) {
    if (!mapping.write || mapping.shared || mapping.inode != 0) continue;
    const Address first = std::max(end, mapping.range.begin / leaf_span), last = (mapping.range.end - 1) / leaf_span;
    if (last >= first) spans += static_cast<std::size_t>(last - first) + 1;
    end = last + 1;
  }
  constexpr std::size_t had = 64;
  return spans + had;
}

/// The spans in which the target has memory that it may write to: what a root may hold pointers to leaves for.
class LeafSpans {
 public:
  /// A word of the root stands for `span` bytes of address space, an entry of its leaf for `entry_span` of them.
  LeafSpans(const TargetMemory& memory, std::uint64_t root_bytes, std::uint64_t span, std::uint64_t entry_span)
      : memory_(memory), root_bytes_(root_bytes), span_(span), entry_span_(entry_span) {
    for (const Mapping& mapping : memory.mappings()) {
      if (!mapping.write) continue;
      const std::uint64_t last = (mapping.range.end - 1) / span;
      for (std::uint64_t number = mapping.range.begin / span; number <= last && numbers_.size() < most_numbers;
           ++number)
        if (numbers_.empty() || numbers_.back() < number) numbers_.push_back(number);
    }
  }

  /// Whether the word at `place` may be of a root within `bss`.
  bool fit(Range bss, Address place) const {
    return complete() ? std::ranges::any_of(numbers_, [&](std::uint64_t each) { return fits(bss, place, each); })
                      : true;
  }
  /// Whether its leaf may say anything of the entry: whether there is memory that this stands for.
  bool fit(Range bss, Address place, std::uint64_t entry) const {
    return !complete() || std::ranges::any_of(numbers_, [&](std::uint64_t each) {
      const auto part = Range::make(each * span_ + entry * entry_span_, entry_span_);
      return part && fits(bss, place, each) && memory_.any_mapped(*part);
    });
  }

 private:
  bool complete() const { return numbers_.size() < most_numbers; }
  bool fits(Range bss, Address place, std::uint64_t number) const {
    return number <= (place - bss.begin) / 8 && root_bytes_ <= bss.end - (place - 8 * number);
  }

  static constexpr std::size_t most_numbers = 1 << 12;  // 4 TiB of jemalloc's spans
  const TargetMemory& memory_;
  std::uint64_t root_bytes_, span_, entry_span_;
  std::vector<std::uint64_t> numbers_;  // ascending
};

/// How many of the words of the next 4 KiB are not 0, so far as they are among `bytes`; moves on a word at a time.
class SetWords {
 public:
  SetWords(const TargetMemory& memory, std::span<const std::byte> bytes) : memory_(memory), bytes_(bytes) {
    for (std::size_t i = 0; i < ahead; i += 8) count_ += set(i);
  }
  std::size_t count() const { return count_; }
  void advance() {
    count_ -= set(at_);
    count_ += set(at_ + ahead);
    at_ += 8;
  }

 private:
  bool set(std::size_t i) const { return memory_.word_at(bytes_, i) != 0; }

  static constexpr std::size_t ahead = 4096;
  const TargetMemory& memory_;
  std::span<const std::byte> bytes_;
  std::size_t at_ = 0, count_ = 0;
};

/// Looks through the .bss of images that have room for a root of `root_bytes` for a pointer to a leaf. For each that
/// may be one, `plausible(index, word)` says whether a word may stand in it, and `judge(bss, place, leaf)` returns the
/// root's address or 0. Returns the first; 0 when there is none. A leaf has `bytes_of_leaf`, and a word of the root
/// stands for `leaf_span` bytes of address space.
template <class Plausible, class Judge>
Address find_root(const TargetMemory& memory, std::uint64_t root_bytes, std::uint64_t alignment,
                  std::uint64_t leaf_span, Plausible plausible, Judge judge, std::uint64_t bytes_of_leaf = leaf_bytes) {
  constexpr std::size_t most_attempts = 1 << 14;
  std::size_t attempts = 0;
  const std::size_t most_words = most_words_in_page(memory, leaf_span);
  const LeafSpans spans(memory, root_bytes, leaf_span, leaf_span / (bytes_of_leaf / 8));
  std::unordered_set<Address> seen;
  Address root = 0;
  for (const Range& bss : memory.image_bss()) {
    if (bss.size() < root_bytes) continue;
    for_each_piece(memory, bss, [&](Address at, std::span<const std::byte> bytes) {
      SetWords set(memory, bytes);
      for (std::size_t i = 0; i + 8 <= bytes.size() && root == 0 && attempts < most_attempts; i += 8, set.advance()) {
        const Address leaf = memory.word_at(bytes, i);
        if (leaf == 0 || leaf % alignment != 0 || set.count() > most_words) continue;
        if (!spans.fit(bss, at + i) || !possible_leaf(memory, leaf, alignment, bytes_of_leaf)) continue;
        if (!seen.insert(leaf).second) continue;
        const auto fits = [&](std::uint64_t entry, std::uint64_t word) {
          return spans.fit(bss, at + i, entry) && plausible(entry, word);
        };
        if (!begins_like_leaf(memory, leaf, fits)) continue;
        ++attempts;
        root = judge(bss, at + i, leaf);
      }
      return root == 0;
    });
    if (root != 0) return root;
  }
  return 0;
}

/// Calls `see(number, leaf)` for each leaf of a root; those that overlap another are left out. A leaf has
/// `bytes_of_leaf`.
template <class See>
void for_each_leaf(const TargetMemory& memory, Range root, std::uint64_t alignment, See see,
                   std::uint64_t bytes_of_leaf = leaf_bytes) {
  std::set<Address> leaves;
  for_each_piece(memory, root, [&](Address at, std::span<const std::byte> bytes) {
    for (std::size_t i = 0; i + 8 <= bytes.size(); i += 8) {
      const Address leaf = memory.word_at(bytes, i);
      if (leaf == 0 || !possible_leaf(memory, leaf, alignment, bytes_of_leaf)) continue;
      const auto next = leaves.lower_bound(leaf);
      if ((next != leaves.end() && *next - leaf < bytes_of_leaf) ||
          (next != leaves.begin() && leaf - *std::prev(next) < bytes_of_leaf))
        continue;
      leaves.insert(leaf);
      see((at + i - root.begin) / 8, leaf);
    }
    return true;
  });
}

}  // namespace vmscan
