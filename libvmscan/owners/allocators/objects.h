// C++ objects among the blocks of a heap. A block whose first word is the address of a virtual table begins with an
// object of its class; before the table stands the class's type_info, which holds its name (Itanium C++ ABI, 2.5.2
// and 2.9.3). So neither symbols nor debug information are needed, but programs built with -fno-rtti have no names.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "libvmscan/memory/target_memory.h"
#include "libvmscan/model/heap_contents.h"

namespace vmscan {

/// Counts blocks by what may be the address of a virtual table, in bounded memory.
class ObjectCounts {
 public:
  /// Looks for tables in the images of `memory`, which must outlive it.
  explicit ObjectCounts(const TargetMemory& memory);

  /// A live block of `size` bytes that begins with `first_word`.
  void add(Address first_word, std::uint64_t size) {
    if (first_word != 0 && may_be_table(first_word)) count(first_word, size);
  }
  ObjectCounts& operator+=(const ObjectCounts& other);
  /// By class, most bytes first. Blocks whose first word turns out to be no table are left out.
  std::vector<ObjectTotals> totals() const;

  /// The class whose virtual table is at the address; nothing when there is none. A table of a program without names
  /// has none either.
  struct Class {
    std::string name, image;
  };
  std::optional<Class> class_at(Address table) const;

 private:
  static constexpr std::size_t most_tables = 1 << 18;

  bool may_be_table(Address address) const {
    if (address % memory_->word_bytes() != 0) return false;
    const auto place = std::upper_bound(places_.begin(), places_.end(), address,
                                        [](Address at, const Range& range) { return at < range.end; });
    return place != places_.end() && place->contains(address);
  }
  void count(Address table, std::uint64_t size);
  std::optional<std::uint64_t> word_in_image(Address address) const;
  std::string name_at(Address address) const;
  const std::optional<FileBytes>& file_of(const Mapping& mapping) const;

  const TargetMemory* memory_;
  std::vector<Range> places_;  // readable parts of images, by address, in RAM
  std::unordered_map<Address, BlockSum> counts_;
  mutable std::map<FileKey, std::optional<FileBytes>> files_;  // those that were asked for names
};

/// Adds the classes of one allocator's blocks to those of others, each once; most bytes first.
void add_types(std::vector<ObjectTotals>& types, std::vector<ObjectTotals> more);

}  // namespace vmscan
