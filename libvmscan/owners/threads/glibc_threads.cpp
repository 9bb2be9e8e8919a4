// glibc's lists of threads (nptl/allocatestack.c, nptl/nptl-stack.c, nptl/descr.h). Every struct pthread is in a ring
// of list_t {next, prev}: stacks in use, stacks that the program gave (with the main thread), and stacks kept for
// later. Where things lie within struct pthread is not written down here but found out, since it differs between
// versions and machines:
//   list_t list; pid_t tid; pid_t pid_ununsed; void *robust_prev; struct robust_list_head robust_head; …
//   void *stackblock; size_t stackblock_size; size_t guardsize; …
// The first line has held from 2.17 to 2.42. The three words of the last are recognised by their values: a range that
// holds the structure, and a guard smaller than it. Seen with glibc 2.36, 64 and 32 bits, dynamic and static.
//
// A thread that has ended and was not joined is in a list of stacks in use, and its stack is lost until it is joined;
// once joined or detached it is in the list of those kept. From 2.34 on the heads lie side by side: used, user, cache
// and then the bytes of all stacks in the cache, in ld.so's _rtld_global; in a static program the linker may turn the
// order around. Before, they are variables of libpthread in no certain order, and the structures themselves must tell:
// pthread_join leaves a tid of -1, and a detached thread has itself as `joinid`. Who ended has EXITING in
// `cancelhandling`; what fork() left of the parent's other threads has not, and is kept for the next thread.
#include <algorithm>
#include <map>
#include <set>

#include "libvmscan/owners/threads/thread_stacks.h"

namespace vmscan {
namespace {

constexpr std::size_t most_data_bytes = 16 << 20;  // of one image
constexpr std::size_t most_threads = 1 << 20;
constexpr std::size_t sample = 32;                                 // threads that are enough to find out the layout
constexpr std::size_t bytes_before = 0x400, bytes_behind = 0x600;  // of struct pthread, around its list_t
constexpr std::uint32_t joined = ~std::uint32_t{0};                // as tid
constexpr std::size_t cancelhandling_words = 9;                    // behind the list_t
constexpr std::uint32_t exiting = 0x10;                            // of cancelhandling

bool is_library_with_lists(const TargetMemory&, std::string_view path) {
  const std::string_view name = file_name(path);
  return name.starts_with("ld-") || name.starts_with("ld64") || name.starts_with("ld.so") ||
         name.starts_with("libpthread");
}

bool is_program(const TargetMemory& memory, std::string_view path) { return path == memory.facts().target.executable; }

/// struct pthread of one thread, as bytes around its list_t.
struct Element {
  Address node = 0;
  std::uint32_t tid = 0;
  std::vector<std::byte> bytes;  // from `begin` on
  Address begin = 0;
};

struct Ring {
  Address head = 0;
  bool living = false;  // a thread of the target is in it
  std::vector<Element> elements;
};

class Finder {
 public:
  Finder(const TargetMemory& memory, const ThreadIds& ids) : memory_(memory), ids_(ids), word_(memory.word_bytes()) {}

  ThreadLists find() {
    // A static program's own data last: a large program has much that looks like a list.
    for (const auto is : {is_library_with_lists, is_program})
      for (const Range& data : memory_.image_data(is))
        if (!found_living()) find_rings(data);
    ThreadLists lists;
    if (!found_living()) return lists;
    stack_words_ = find_stack_words();
    const std::optional<std::size_t> self = find_self_distance();
    const std::optional<Heads> heads = find_heads();
    for (const Ring& ring : rings_) {
      if (ring.living)
        for (const Element& element : ring.elements)
          if (has_thread(element)) lists.control_blocks.push_back({element.tid, element.node - self.value_or(0)});
      if (heads && ring.head != heads->used && ring.head != heads->user && ring.head != heads->kept) continue;
      const bool kept = heads ? ring.head == heads->kept : looks_kept(ring);
      for (const Element& element : ring.elements) add_stack(element, kept, lists);
    }
    return lists;
  }

 private:
  struct Heads {
    Address used = 0, user = 0, kept = 0;
  };

  bool found_living() const {
    return std::any_of(rings_.begin(), rings_.end(), [](const Ring& ring) { return ring.living; });
  }

  static bool has_thread(const Element& element) { return element.tid != 0 && element.tid != joined; }

  void find_rings(Range data) {
    for_each_readable_run(memory_, data, most_data_bytes, [&](Address at, std::span<const std::byte> bytes) {
      for (std::size_t i = 0; i + 2 * word_ <= bytes.size(); i += word_) {
        const Address head = at + i, next = memory_.word_at(bytes, i), last = memory_.word_at(bytes, i + word_);
        if (next == head || !may_be_node(next) || !may_be_node(last)) continue;
        if (memory_.word(next + word_) == head && memory_.word(last) == head) take_ring(head, next);
      }
      return !memory_.refusal();
    });
  }

  /// Null where no list has its head there.
  const Ring* ring_at(Address head) const {
    const auto ring = std::find_if(rings_.begin(), rings_.end(), [&](const Ring& each) { return each.head == head; });
    return ring == rings_.end() ? nullptr : &*ring;
  }

  bool is_head(Address at) const {
    return ring_at(at) != nullptr || (memory_.word(at) == at && memory_.word(at + word_) == at);
  }

  /// Bytes of all stacks in the list.
  std::optional<std::uint64_t> bytes_in(Address head) const {
    std::uint64_t sum = 0;
    if (const Ring* ring = ring_at(head))
      for (const Element& element : ring->elements) {
        const auto size = stack_words_ ? read_word(element, element.node + *stack_words_ + word_) : std::nullopt;
        if (!size) return std::nullopt;
        sum += *size;
      }
    return sum;
  }

  /// The three heads that lie side by side, told by the word beside them that counts what is in the cache.
  std::optional<Heads> find_heads() const {
    for (const Ring& ring : rings_) {
      if (!ring.living) continue;
      for (const std::size_t before : {std::size_t{1}, std::size_t{0}, std::size_t{2}}) {
        const Address first = ring.head - 2 * before * word_, second = first + 2 * word_, third = second + 2 * word_;
        if (ring_at(second) == nullptr || !is_head(first) || !is_head(third)) continue;
        const auto in_first = bytes_in(first), in_third = bytes_in(third);
        const auto counts = [&](Address at, const std::optional<std::uint64_t>& bytes) {
          return bytes && memory_.word(at) == bytes;
        };
        // The linker may align the heads to 16. Where both may be, a count that is not 0 tells more.
        const bool turned = counts(first - word_, in_first) || counts(first - 2 * word_, in_first);
        if (counts(third + 2 * word_, in_third) && !(turned && in_third == 0)) return Heads{first, second, third};
        if (turned) return Heads{third, second, first};
      }
    }
    return std::nullopt;
  }

  /// Whether the structures in the list say that nobody waits for these threads any more.
  bool looks_kept(const Ring& ring) const {
    const auto& all = ring.elements;
    if (std::any_of(all.begin(), all.end(), [](const Element& each) { return each.tid == joined; })) return true;
    if (std::any_of(all.begin(), all.end(), has_thread)) return false;
    return are_detached(all) || std::none_of(all.begin(), all.end(), [&](const Element& each) {
             const auto word = read_word(each, each.node + cancelhandling_words * word_);
             return !word || (*word & exiting) != 0;
           });
  }

  /// Whether there is a place, the same in all, that holds the address at which the structure begins.
  bool are_detached(const std::vector<Element>& all) const {
    for (std::size_t offset = 4 * word_; offset + word_ <= bytes_behind; offset += word_) {
      const Address node = all.front().node, begin = read_word(all.front(), node + offset).value_or(0);
      if (begin >= node || node - begin > bytes_before) continue;
      if (std::all_of(all.begin(), all.end(), [&](const Element& each) {
            return read_word(each, each.node + offset) == each.node - (node - begin);
          }))
        return true;
    }
    return false;
  }

  bool may_be_node(Address address) const { return address != 0 && address % word_ == 0 && memory_.writable(address); }

  /// Reads the ring, up to where it returns to its head. A thread that comes or goes meanwhile breaks it: then again.
  void take_ring(Address head, Address first) {
    for (int attempt = 0; attempt < 3; ++attempt, first = memory_.word(head).value_or(0)) {
      Ring ring{.head = head, .living = false, .elements = {}};
      bool closed = false;
      Address previous = head;
      for (Address node = first; ring.elements.size() < most_threads;) {
        if (closed = node == head; closed || !may_be_node(node)) break;
        Element element = read_element(node);
        if (read_word(element, node + word_) != previous) break;
        ring.living |= ids_.known(element.tid);
        if (has_thread(element) && !ring.living && ring.elements.size() > 8) return;  // numbers, no ids
        previous = node;
        node = read_word(element, node).value_or(0);
        ring.elements.push_back(std::move(element));
      }
      if (!closed && attempt < 2) continue;
      if ((ring.living || closed) && !ring.elements.empty()) rings_.push_back(std::move(ring));
      return;
    }
  }

  Element read_element(Address node) const {
    Element element{.node = node, .tid = 0, .bytes = {}, .begin = node - std::min<Address>(node, bytes_before)};
    const std::size_t before = static_cast<std::size_t>(node - element.begin);
    element.bytes.resize(before + bytes_to_read(node));
    element.bytes.resize(memory_.read(element.begin, element.bytes));
    if (element.bytes.size() <= before) {  // the structure begins a mapping
      element.begin = node;
      element.bytes.resize(bytes_to_read(node));
      element.bytes.resize(memory_.read(node, element.bytes));
    }
    element.tid = memory_.half_at(element.bytes, static_cast<std::size_t>(node - element.begin) + 2 * word_);
    return element;
  }

  /// It stands at the end of its stack: what is behind that is not read.
  std::size_t bytes_to_read(Address node) const {
    const Mapping* mapping = memory_.mapping_of(node);
    return mapping == nullptr ? 0
                              : static_cast<std::size_t>(std::min<Address>(bytes_behind, mapping->range.end - node));
  }

  std::optional<Address> read_word(const Element& element, Address address) const {
    const auto offset = static_cast<std::size_t>(address - element.begin);
    if (offset + word_ > element.bytes.size()) return std::nullopt;
    return memory_.word_at(element.bytes, offset);
  }

  /// The stack by the three words at `offset` behind the list_t; nothing when they cannot be that.
  std::optional<ThreadStack> stack_by(const Element& element, std::size_t offset) const {
    const auto begin = read_word(element, element.node + offset),
               size = read_word(element, element.node + offset + word_),
               guard = read_word(element, element.node + offset + 2 * word_);
    if (!begin || !size || !guard || *begin == 0 || *guard >= *size) return std::nullopt;
    const auto range = Range::make(*begin, *size);
    if (!range || !range->contains(element.node) || *guard % memory_.page_bytes() != 0 ||
        !memory_.mapped({range->begin + *guard, range->end}))
      return std::nullopt;
    ThreadStack stack{.range = *range,
                      .guard_size = *guard,
                      .owner = ThreadStack::Owner::Thread,
                      .thread = element.tid,
                      .given = false,
                      .library = "glibc"};
    // pthread_attr_setstack: any address, and the library adds no guard.
    stack.given = *guard == 0 && (*begin % memory_.page_bytes() != 0 || range->end % memory_.page_bytes() != 0);
    return stack;
  }

  /// How far behind the list_t the words of the stack lie: where they make sense for the most threads.
  std::optional<std::size_t> find_stack_words() const {
    std::vector<const Element*> some;
    for (const bool living : {true, false})
      for (const Ring& ring : rings_)
        for (std::size_t i = 0; ring.living == living && i < std::min(ring.elements.size(), sample); ++i)
          some.push_back(&ring.elements[i]);
    some.resize(std::min(some.size(), 4 * sample));
    std::optional<std::size_t> best;
    std::size_t most = 0;
    for (std::size_t offset = 4 * word_; offset + 3 * word_ <= bytes_behind; offset += word_) {
      const auto fit = static_cast<std::size_t>(std::count_if(
          some.begin(), some.end(), [&](const Element* each) { return stack_by(*each, offset).has_value(); }));
      if (fit > most) {
        most = fit;
        best = offset;
      }
    }
    return best;
  }

  /// How far before the list_t the structure begins: it holds its own address at its beginning, twice (tcbhead_t of
  /// x86; other machines have no such words).
  std::optional<std::size_t> find_self_distance() const {
    const auto holds_itself = [&](const Element& element, std::size_t distance) {
      const Address self = element.node - distance;
      return element.begin <= self && read_word(element, self) == self && read_word(element, self + 2 * word_) == self;
    };
    for (std::size_t distance = word_; distance < bytes_before; distance += word_)
      if (std::all_of(rings_.begin(), rings_.end(), [&](const Ring& ring) {
            return !ring.living || std::all_of(ring.elements.begin(), ring.elements.end(),
                                               [&](const Element& each) { return holds_itself(each, distance); });
          }))
        return distance;
    return std::nullopt;
  }

  void add_stack(const Element& element, bool kept, ThreadLists& lists) const {
    auto stack = stack_words_ ? stack_by(element, *stack_words_) : std::nullopt;
    if (!stack) return;
    if (ids_.known(element.tid))
      stack->owner = ThreadStack::Owner::Thread;
    else if (kept || element.tid == joined)
      stack->owner = ThreadStack::Owner::Nobody;
    else if (element.tid == 0)
      stack->owner = ThreadStack::Owner::Ended;
    lists.stacks.push_back(*stack);
  }

  const TargetMemory& memory_;
  const ThreadIds& ids_;
  std::size_t word_;
  std::vector<Ring> rings_;
  std::optional<std::size_t> stack_words_;  // behind the list_t
};

}  // namespace

ThreadLists find_glibc_threads(const TargetMemory& memory, const ThreadIds& ids) { return Finder(memory, ids).find(); }

}  // namespace vmscan
