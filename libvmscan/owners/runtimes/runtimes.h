// Memory of managed runtimes, found in the structures that they keep. A recogniser is one file; a note at its top says
// how its facts were found.
#pragma once

#include <algorithm>
#include <array>
#include <map>
#include <span>
#include <string_view>
#include <vector>

#include "libvmscan/memory/image_symbols.h"
#include "libvmscan/memory/target_memory.h"

namespace vmscan {

/// For Facts::runtimes: sorted, never overlapping. Reads only what is in RAM.
std::vector<RuntimePart> runtime_parts(const TargetMemory& memory);
/// Fills Facts::runtimes.
void find_runtime_parts(Facts& facts, const MemoryReader& reader);

/// What a recogniser works on, and where it puts what it finds.
class RuntimeScan {
 public:
  explicit RuntimeScan(const TargetMemory& target);

  const TargetMemory& memory;
  const std::vector<LoadedImage> images;
  std::vector<ImageSymbols> exported;  // by these
  std::vector<RuntimePart> parts;      // in any order

  /// `size` bytes (at most 4096) at `address` if they are in RAM, otherwise null. Valid up to the next call; costs no
  /// reading for what lies in the page that was read last.
  const std::byte* bytes(Address address, std::size_t size);
  /// Numbers of the target; nothing where it is not in RAM.
  std::optional<std::uint64_t> word(Address address);
  std::optional<std::uint32_t> half(Address address);
  /// Whether `address` is a multiple of the word size within readable and writable memory: where an object of a C or
  /// C++ program may be.
  bool object(Address address) const;
  /// What is in RAM of the image's writable data, a run at a time: `look(address, bytes)`.
  template <class Look>
  void for_each_data_run(Range image, Look look) const {
    constexpr std::uint64_t most_bytes = 32 << 20;  // of one run
    std::vector<std::byte> bytes;
    for (const Mapping& mapping : memory.mappings()) {
      if (!mapping.write || mapping.shared || !image.overlaps(mapping.range)) continue;
      for (const Range& run : memory.readable(mapping.range.intersect(image))) {
        bytes.resize(static_cast<std::size_t>(std::min(run.size(), most_bytes)));
        bytes.resize(memory.read(run.begin, bytes));
        look(run.begin, std::span<const std::byte>(bytes));
      }
    }
  }
  /// Whether something found already is all of the range; so it need not be looked at.
  bool taken(Range range) const;
  /// Objects outside of the image to which words of its writable data point; sorted, each once.
  std::vector<Address> objects_pointed_to(Range image) const;
  /// The same from its .bss alone.
  std::vector<Address> objects_pointed_to_from_bss(Range image) const;
  /// The private mappings without file and name that touch each other and hold the address: what was reserved at once,
  /// or happens to lie beside it. Empty when there are none.
  Range reservation_with(Address address) const;
  /// Whether code in the mapping leads into the image: its first bytes in RAM hold an address there, at any place.
  bool calls_into(const Mapping& mapping, Range image) const;
  /// Adds all of `range`, unless it is empty or there are too many parts.
  void add(Range range, std::string_view details, std::string evidence, std::string_view block = {});
  /// The same for memory of an allocator for C++.
  void add_native(Range range, std::string_view details, std::string evidence);
  /// The same as add() where no structure says so.
  void add_by_shape(Range range, std::string_view details, std::string evidence);

 private:
  void add_objects(Range data, Range image, std::vector<Address>& found) const;

  std::vector<Range> reservations_;   // by address
  std::map<Address, Address> taken_;  // where parts begin and end
  std::array<std::byte, 8192> window_;
  Address window_begin_ = 0;
  std::size_t window_bytes_ = 0;
};

void find_cpython(RuntimeScan& scan);
void find_v8(RuntimeScan& scan);
void find_v8_sandbox(RuntimeScan& scan);
void find_v8_tables(RuntimeScan& scan);
void find_cppgc(RuntimeScan& scan);
void find_hotspot(RuntimeScan& scan);
void find_go(RuntimeScan& scan);
void find_partition_alloc(RuntimeScan& scan);
void find_mono(RuntimeScan& scan);
void find_coreclr(RuntimeScan& scan);
void find_ruby(RuntimeScan& scan);
void find_luajit(RuntimeScan& scan);
void find_php(RuntimeScan& scan);

}  // namespace vmscan
