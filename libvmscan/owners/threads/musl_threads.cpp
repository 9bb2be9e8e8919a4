// musl's ring of threads (src/internal/pthread_impl.h): struct pthread begins {self, [dtv,] prev, next}; dtv only on
// machines whose TLS lies below the thread pointer (x86). The main thread's structure is in the data of libc or of a
// static program; the ring leads from there to all others. The rest is found out by its values:
//   int tid; … unsigned char *map_base; size_t map_size; void *stack; size_t stack_size; size_t guard_size;
// A thread that has ended and was not joined leaves the ring: its structure is linked to itself, has no tid, and stays
// at the end of its stack, which is a mapping of its own (src/thread/pthread_create.c). Joined ones are unmapped.
// Seen with musl 1.2.3, dynamic and static.
#include <algorithm>

#include "libvmscan/owners/threads/thread_stacks.h"

namespace vmscan {
namespace {

constexpr std::size_t most_data_bytes = 16 << 20;
constexpr std::size_t most_threads = 1 << 20;
constexpr std::size_t structure_bytes = 0x200;
constexpr std::size_t bytes_at_end = 16 << 10;   // of a stack, that hold the structure, TLS and thread-specific data
constexpr std::size_t most_ended_reads = 65536;  // of mappings

bool holds_main_thread(const TargetMemory& memory, std::string_view path) {
  const std::string_view name = file_name(path);
  return name.starts_with("ld-musl") || name.starts_with("libc.musl") || name == "libc.so" ||
         path == memory.facts().target.executable;
}

struct Element {
  Address address = 0;
  std::vector<std::byte> bytes;
  bool ended = false;
};

class Finder {
 public:
  Finder(const TargetMemory& memory, const ThreadIds& ids) : memory_(memory), ids_(ids), word_(memory.word_bytes()) {}

  ThreadLists find() {
    for (const Range& data : memory_.image_data(holds_main_thread)) {
      find_ring(data);
      if (tid_ == 0) continue;
      find_ended();
      return lists();
    }
    return {};
  }

 private:
  void find_ring(Range data) {
    for_each_readable_run(memory_, data, most_data_bytes, [&](Address at, std::span<const std::byte> bytes) {
      for (std::size_t i = 0; i + 4 * word_ <= bytes.size(); i += word_) {
        if (memory_.word_at(bytes, i) != at + i) continue;
        for (const std::size_t links : {2 * word_, word_})
          if (tid_ == 0) take_ring(at + i, links_ = links);
        if (tid_ != 0) return false;
      }
      return !memory_.refusal();
    });
  }

  void take_ring(Address first, std::size_t links) {
    for (int attempt = 0; attempt < 3; ++attempt) {
      ring_.clear();
      Address previous = 0;
      for (Address at = first; ring_.size() < most_threads;) {
        Element element = read_element(at);
        if (memory_.word_at(element.bytes, 0) != at) break;
        if (!ring_.empty() && memory_.word_at(element.bytes, links) != previous) break;
        const Address next = memory_.word_at(element.bytes, links + word_);
        ring_.push_back(std::move(element));
        if (next == first && memory_.word(first + links) == at) {
          tid_ = find_tid();
          return;
        }
        if (next == 0 || next % word_ != 0 || next == at || !memory_.writable(next)) return;
        previous = at;
        at = next;
      }
    }
  }

  Element read_element(Address at) const {
    Element element{at, std::vector<std::byte>(structure_bytes)};
    element.bytes.resize(memory_.read(at, element.bytes));
    return element;
  }

  void find_ended() {
    std::size_t reads = 0;
    for (const Mapping& mapping : memory_.mappings()) {
      const bool own = mapping.read && mapping.write && !mapping.shared && mapping.inode == 0 && mapping.path.empty();
      if (!own || ++reads > most_ended_reads) continue;
      const Range end{mapping.range.end - std::min<Address>(mapping.range.size(), bytes_at_end), mapping.range.end};
      for_each_readable_run(memory_, end, bytes_at_end, [&](Address at, std::span<const std::byte> bytes) {
        for (std::size_t i = 0; i + links_ + 2 * word_ <= bytes.size(); i += word_)
          if (memory_.word_at(bytes, i) == at + i && memory_.word_at(bytes, i + links_) == at + i &&
              memory_.word_at(bytes, i + links_ + word_) == at + i)
            take_ended(at + i);
        return !memory_.refusal();
      });
    }
  }

  void take_ended(Address at) {
    Element element = read_element(at);
    element.ended = true;
    if (element.bytes.size() >= tid_ + 4 && memory_.half_at(element.bytes, tid_) == 0)
      ring_.push_back(std::move(element));
  }

  /// Where all threads of the ring have the id of one of the target; 0 when there is no such place.
  std::size_t find_tid() const {
    for (std::size_t offset = 4 * word_; offset + 4 <= structure_bytes; offset += 4)
      if (std::all_of(ring_.begin(), ring_.end(),
                      [&](const Element& each) { return ids_.known(memory_.half_at(each.bytes, offset)); }))
        return offset;
    return 0;
  }

  std::optional<ThreadStack> stack_by(const Element& element, std::size_t offset) const {
    const auto field = [&](std::size_t index) { return memory_.word_at(element.bytes, offset + index * word_); };
    const auto map = Range::make(field(0), field(1));
    const Address top = field(2);
    const std::uint64_t size = field(3), guard = field(4);
    if (!map || top == 0 || size == 0 || size > top) return std::nullopt;
    ThreadStack stack{.range = {top - size, top},
                      .guard_size = 0,
                      .owner = ThreadStack::Owner::Thread,
                      .thread = memory_.half_at(element.bytes, tid_),
                      .given = true,
                      .library = "musl"};
    if (map->begin != 0) {  // 0: everything lies in memory that the program gave
      if (map->begin % memory_.page_bytes() != 0 || map->end % memory_.page_bytes() != 0) return std::nullopt;
      if (!map->contains(element.address)) return std::nullopt;
    }
    if (map->begin != 0 && map->begin <= stack.range.begin && top <= map->end) {
      if (guard >= map->size() || guard % memory_.page_bytes() != 0) return std::nullopt;
      stack.range = *map;
      stack.guard_size = guard;
      stack.given = false;
    }
    if (element.ended && stack.given) return std::nullopt;  // what is linked to itself need not be a thread's
    if (element.ended) stack.owner = ThreadStack::Owner::Ended;
    const Range body{stack.range.begin + stack.guard_size, stack.range.end};
    return memory_.mapped(body) ? std::optional(stack) : std::nullopt;
  }

  ThreadLists lists() const {
    ThreadLists found;
    std::size_t best = 0, most = 0;
    for (std::size_t offset = tid_ + 4; offset + 5 * word_ <= structure_bytes; offset += 4) {
      if (offset % word_ != 0) continue;
      const auto fit = static_cast<std::size_t>(std::count_if(
          ring_.begin(), ring_.end(), [&](const Element& each) { return stack_by(each, offset).has_value(); }));
      if (fit > most) {
        most = fit;
        best = offset;
      }
    }
    for (const Element& element : ring_) {
      if (!element.ended) found.control_blocks.push_back({memory_.half_at(element.bytes, tid_), element.address});
      if (most > 0)
        if (const auto stack = stack_by(element, best)) found.stacks.push_back(*stack);
    }
    return found;
  }

  const TargetMemory& memory_;
  const ThreadIds& ids_;
  std::size_t word_;
  std::vector<Element> ring_;  // and the threads that have left it
  std::size_t tid_ = 0;        // offset of the id; 0: no ring was found
  std::size_t links_ = 0;      // offset of prev
};

}  // namespace

ThreadLists find_musl_threads(const TargetMemory& memory, const ThreadIds& ids) { return Finder(memory, ids).find(); }

}  // namespace vmscan
