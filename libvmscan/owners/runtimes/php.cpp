// PHP: its memory manager (Zend/zend_alloc.c) takes chunks of 2 MiB at multiples of 2 MiB. A chunk begins with {heap,
// next, prev, free pages (32 bits), pages at its end never used (32 bits), number (32 bits), …}; next and prev make a
// ring, and the heap lies in one of its chunks. A chunk's first page holds its own head, behind room for a heap: a map
// of used pages (64 bytes), whose bit 0 is set, and directly behind it what the pages are, of which the first is a run
// of one page. That, and the heap, which holds its main chunk and the number of chunks, prove them. The heap leads to
// blocks with a mapping of their own by a list of {address, size, next}, whose nodes lie in chunks, too. Seen on 8.2
// (Debian 12) against memory_get_usage(true).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "libvmscan/owners/runtimes/runtimes.h"

namespace vmscan {
namespace {

constexpr std::uint64_t chunk_bytes = 2 << 20, pages = chunk_bytes / 4096, heap_bytes = 512;
constexpr std::uint64_t first_map = 256, last_map = 1024, map_bytes = pages / 8;
constexpr std::uint32_t run_of_one_page = 0x40000001;
constexpr std::size_t most_chunks = 1 << 20;

class Finder {
 public:
  explicit Finder(RuntimeScan& scan) : scan_(scan), memory_(scan.memory) {}

  void find() {
    if (memory_.word_bytes() != 8) return;
    for (const Mapping& mapping : memory_.mappings()) {
      if (mapping.inode != 0 || mapping.shared || !mapping.write || !mapping.path.empty()) continue;
      for (const Range& run : memory_.readable(mapping.range)) {
        const auto first = Range::make(run.begin, chunk_bytes - 1);
        if (!first) continue;
        for (Address at = first->end / chunk_bytes * chunk_bytes; at < run.end && mapping.range.end - at >= chunk_bytes;
             at += chunk_bytes) {
          if (looked_at_++ == most_chunks) return;
          if (!chunks_.contains(at)) follow(at);
        }
      }
    }
  }

 private:
  std::uint64_t word(Address address) { return scan_.word(address).value_or(0); }

  /// Takes the ring of chunks that one of them is in, if it is one.
  void follow(Address first) {
    std::array<std::byte, 8> bytes{};
    if (memory_.read_once(first, bytes) != bytes.size()) return;
    const Address heap = memory_.word_at(bytes, 0);
    if (!scan_.object(heap)) return;
    std::set<Address> ring;
    for (Address at = first; ring.size() < most_chunks;) {
      const Address next = word(at + 8);
      if (!is_chunk(at, heap) || word(next + 16) != at || !ring.insert(at).second) return;
      if ((at = next) == first) break;
    }
    if (!ring.contains(heap / chunk_bytes * chunk_bytes) || !counts(heap, ring.size()) || !have_heads(ring)) return;
    for (const Address at : ring) add({at, at + chunk_bytes}, heap);
    chunks_.merge(ring);
    for (Address at = heap; at < heap + heap_bytes; at += 8)
      if (follow_large(word(at), heap)) break;
  }

  /// {main chunk, cached chunks, number of chunks (32 bits)}
  bool counts(Address heap, std::size_t chunks) {
    for (Address at = heap; at < heap + heap_bytes; at += 8)
      if (word(at) == heap / chunk_bytes * chunk_bytes && scan_.half(at + 16) == chunks) return true;
    return false;
  }

  /// Whether the first page of each chunk is its head; at the same place in all of them, which depends on the version.
  bool have_heads(const std::set<Address>& chunks) {
    for (Address map = first_map; map <= last_map; map += 8)
      if (std::ranges::all_of(chunks, [&](Address chunk) {
            return (word(chunk + map) & 1) != 0 && scan_.half(chunk + map + map_bytes) == run_of_one_page;
          }))
        return true;
    return false;
  }

  bool is_chunk(Address at, Address heap) {
    const auto chunk = Range::make(at, chunk_bytes);
    return at % chunk_bytes == 0 && chunk && word(at) == heap && memory_.writable(at) && memory_.mapped(*chunk) &&
           scan_.half(at + 24).value_or(pages) < pages && scan_.half(at + 28).value_or(0) <= pages;
  }

  bool in_chunk(Address address) const { return chunks_.contains(address / chunk_bytes * chunk_bytes); }

  bool follow_large(Address node, Address heap) {
    std::map<Address, Range> found;
    for (; node != 0; node = word(node + 16)) {
      const auto block = Range::make(word(node), word(node + 8));
      if (!in_chunk(node) || !block || block->begin == 0 || block->begin % chunk_bytes != 0 || block->empty() ||
          block->size() % memory_.page_bytes() != 0 || !memory_.mapped(*block) || in_chunk(block->begin) ||
          found.size() == most_chunks || !found.emplace(node, *block).second)
        return false;
    }
    for (const auto& [at, block] : found) add(block, heap);
    return !found.empty();
  }

  void add(Range range, Address heap) { scan_.add(range, "PHP heap", fmt::format("zend_mm_heap at {:#x}", heap)); }

  RuntimeScan& scan_;
  const TargetMemory& memory_;
  std::set<Address> chunks_;
  std::size_t looked_at_ = 0;
};

}  // namespace

/// Its program, or library, exports the allocator for extensions, unless all is static.
void find_php(RuntimeScan& scan) {
  const auto may_have_it = [](const ImageSymbols& image) {
    return !image.bytes().loaded().image->dynamic || image.find("_emalloc");
  };
  if (scan.exported.empty() || std::ranges::any_of(scan.exported, may_have_it)) Finder(scan).find();
}

}  // namespace vmscan
