// Searches memory for strings: threads read and search pieces of it, and what they find is delivered in the order of
// addresses, within bounded memory. Strings that cross pieces come out whole.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "libvmscan/memory/memory_reader.h"
#include "libvmscan/strings/extents.h"
#include "libvmscan/strings/find_strings.h"

namespace vmscan {

/// Bytes of the longest string that surely comes out in one. A longer one is delivered in parts of at most so many, but
/// for the last, which may have 4 * min_characters more; each but the last is marked.
inline constexpr std::size_t longest_string = std::size_t{1} << 20;

/// Strings of one stretch of memory.
struct StringBatch {
  Address address = 0;  // of bytes[0]
  std::span<const std::uint8_t> bytes;
  std::span<const FoundString> strings;  // offsets into `bytes`
  std::size_t region = 0;                // index into Snapshot::regions
  bool continues = false;                // the last string is a part; the next batch begins with the rest

  std::span<const std::uint8_t> text_of(const FoundString& found) const {
    return bytes.subspan(found.offset, found.size);
  }
};

/// What became of a batch: its strings as the caller wants them, and how many there are.
struct Rendered {
  std::string text;
  std::uint64_t strings = 0;
};

struct ScanOptions {
  TextMaskOptions encodings;
  std::size_t min_characters = 3;
  unsigned threads = 0;         // 0: as many as help
  bool count_only = false;      // render() is not called; Rendered::strings is all there is
  std::size_t piece_bytes = 0;  // what a thread reads at once; 0: as much as helps
  /// Called after each piece, on any thread, never at once with deliver(). False: no more is wanted. May be empty.
  std::function<bool(const struct ScanTotals&)> goes_on;
};

struct ScanTotals {
  std::uint64_t read_bytes = 0;
  std::uint64_t unreadable_bytes = 0;  // holes: unmapped meanwhile, guard pages, device memory
  std::uint64_t strings = 0;           // delivered
  bool stopped = false;                // deliver() or goes_on() said so
};

/// Called on any thread, several at once: turns a batch into text.
using Render = std::function<void(const StringBatch&, Rendered&)>;
/// Called in order of address, on any thread but by one at a time. False: no more is wanted.
using Deliver = std::function<bool(Rendered&)>;

/// Errors: Vanished, AccessDenied; what was found before has been delivered then, and `totals` tells of it.
Result<void> scan_memory(const MemoryReader& memory, std::span<const Extent> extents, const ScanOptions& options,
                         const Render& render, const Deliver& deliver, ScanTotals& totals);

}  // namespace vmscan
