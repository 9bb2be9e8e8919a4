// CPython's own allocator for small objects (Objects/obmalloc.c): arenas of 64 pools of 4 KiB, or of 16 KiB since 3.10.
// A table of struct arena_object {address, pool_address, free pools (32 bits), pools (32 bits), freepools, next,
// previous} lists them; it lies in malloc's memory, and a static variable points to it. Neither has an exported symbol,
// stripped or not. So every pointer in the data of the image that exports PyObject_Malloc is tried, first those of its
// .bss, where `arenas` is up to 3.11 and in 3.13 (3.12: in .PyRuntime), and a table is proved by its arenas: each
// pool's header holds the index of its arena in the table, and POOL_SIZE - size as maxnextoffset, which tells the size
// of pools. Seen so on 2.7 and 3.6 to 3.13, and on Debian's stripped 3.11, against sys._debugmallocstats().
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "libvmscan/owners/runtimes/runtimes.h"

namespace vmscan {
namespace {

constexpr std::size_t most_arenas = 1 << 20;  // 1 TiB of them
constexpr std::uint64_t pools_in_arena = 64;
constexpr std::uint32_t most_size_classes = 64;
// A table that so many pools prove is one: of the others behind them one in so many is read, which costs a call each.
constexpr std::size_t enough_proofs = 16, one_of = 16;

struct Arena {
  std::uint64_t index = 0;
  Address address = 0;
  std::optional<std::uint64_t> pool_bytes;  // when a pool's header was read
};

class Finder {
 public:
  explicit Finder(RuntimeScan& scan) : scan_(scan), memory_(scan.memory), word_(memory_.word_bytes()) {}

  void find(Range image) {
    try_all(scan_.objects_pointed_to_from_bss(image));
    if (!found_) try_all(scan_.objects_pointed_to(image));
  }

 private:
  void try_all(const std::vector<Address>& tables) {
    for (const Address table : tables)
      if (may_begin_table(table)) read_table(table);
  }

  std::size_t entry_bytes() const { return 5 * word_ + 8; }

  /// A quick look at the first entry, which has an arena from the start on or had one. Candidates come in rising order.
  bool may_begin_table(Address table) {
    const std::byte* entry = scan_.bytes(table, entry_bytes());
    return entry != nullptr && arena_of({entry, entry_bytes()}, 0).has_value();
  }

  /// Whether an entry without an arena leads to another one of the table, as all of them do but the last.
  bool linked(Address table, std::span<const std::byte> entry) const {
    const Address next = memory_.word_at(entry, 3 * word_ + 8);
    return next > table && (next - table) % entry_bytes() == 0 && (next - table) / entry_bytes() < most_arenas;
  }

  /// The arena of an entry, or one with address 0 when it has none. Nothing: that is no entry.
  std::optional<Arena> arena_of(std::span<const std::byte> entry, std::uint64_t index) const {
    const Address address = memory_.word_at(entry, 0), next_pool = memory_.word_at(entry, word_);
    const std::uint32_t free_pools = memory_.half_at(entry, 2 * word_), pools = memory_.half_at(entry, 2 * word_ + 4);
    if (address == 0) return Arena{.index = index, .address = 0, .pool_bytes = {}};
    const auto most = Range::make(address, 1 << 20);
    if (address % memory_.page_bytes() != 0 || !most || next_pool < address || next_pool > most->end ||
        free_pools > pools || (pools != pools_in_arena && pools != pools_in_arena - 1) || !memory_.writable(address))
      return std::nullopt;
    return Arena{.index = index, .address = address, .pool_bytes = {}};
  }

  /// The size of pools when the arena's first pool says it is in this arena, `expected` (0: none) before others;
  /// nothing when it cannot be read. 0: the pool contradicts.
  std::optional<std::uint64_t> pool_bytes(const Arena& arena, std::uint64_t expected) {
    constexpr std::uint64_t small = 1 << 12, large = 1 << 14;
    bool read = false;
    for (const std::uint64_t size : {expected == large ? large : small, expected == large ? small : large}) {
      const auto pool = Range::make(arena.address, size - 1);
      std::array<std::byte, 48> header;
      const auto bytes = std::span(header).first(4 * word_ + 16);
      if (!pool || memory_.read_once(pool->end / size * size, bytes) != bytes.size()) continue;
      read = true;
      const std::uint32_t index = memory_.half_at(bytes, 4 * word_), size_class = memory_.half_at(bytes, 4 * word_ + 4),
                          last = memory_.half_at(bytes, 4 * word_ + 12);
      if (index != arena.index || size_class >= most_size_classes) continue;
      for (const std::uint32_t alignment : {8U, 16U})
        if (last + (size_class + 1) * alignment == size) return size;
    }
    return read ? std::optional<std::uint64_t>(0) : std::nullopt;
  }

  /// The arenas that the entries name.
  std::vector<Arena> entries_of(Address table) {
    std::vector<Arena> arenas;
    bool last_unused = false;
    for (std::uint64_t index = 0; index < most_arenas && entries_left_ > 0; ++index, --entries_left_) {
      const std::byte* entry = scan_.bytes(table + index * entry_bytes(), entry_bytes());
      const auto arena = entry != nullptr ? arena_of({entry, entry_bytes()}, index) : std::nullopt;
      if (!arena) break;
      if (arena->address != 0)
        arenas.push_back(*arena);
      else if (!linked(table, {entry, entry_bytes()}) && std::exchange(last_unused, true))
        break;
    }
    return arenas;
  }

  void read_table(Address table) {
    std::uint64_t pool = 0;
    std::vector<Arena> arenas = entries_of(table);
    std::size_t proofs = 0;
    std::erase_if(arenas, [&](Arena& arena) {
      if (proofs >= enough_proofs && arena.index % one_of != 0) return false;
      arena.pool_bytes = pool_bytes(arena, pool);
      if (arena.pool_bytes.value_or(0) != 0) ++proofs;
      if (arena.pool_bytes == 0 || (pool != 0 && arena.pool_bytes.value_or(pool) != pool)) return true;
      pool = arena.pool_bytes.value_or(pool);
      return false;
    });
    if (pool == 0) return;  // nothing proves it
    found_ = true;
    for (const Arena& arena : arenas)
      if (const auto range = Range::make(arena.address, pools_in_arena * pool))
        scan_.add(*range, "CPython arenas", fmt::format("entry {} of the arenas at {:#x}", arena.index, table));
  }

  RuntimeScan& scan_;
  const TargetMemory& memory_;
  std::size_t word_;
  bool found_ = false;
  std::size_t entries_left_ = 2 * most_arenas;
};

}  // namespace

void find_cpython(RuntimeScan& scan) {
  for (const ImageSymbols& image : scan.exported)
    if (image.find("PyObject_Malloc")) Finder(scan).find(image.bytes().loaded().span);
}

}  // namespace vmscan
