// glibc's lists of threads (nptl/allocatestack.c, nptl/descr.h). Every struct pthread is in a ring of list_t {next,
// prev}: stacks in use, stacks that the program gave (with the main thread), and stacks kept for later. The heads lie
// in the data of ld.so (2.34 and later), of libpthread (before), or of a static program. Where things lie within struct
// pthread is not written down here but found out, since it differs between versions and machines:
//   list_t list; pid_t tid; pid_t pid_ununused; void *robust_prev; struct robust_list_head robust_head; …
//   void *stackblock; size_t stackblock_size; size_t guardsize; …
// The first line has held from 2.17 to 2.42. The three words of the last are recognised by their values: a range that
// holds the structure, and a guard smaller than it. Seen with glibc 2.36, 64 and 32 bits, dynamic and static.
#include <algorithm>
#include <map>
#include <set>

#include "libvmscan/threads/thread_stacks.h"

namespace vmscan {
namespace {

constexpr std::size_t most_data_bytes = 16 << 20;  // of one image
constexpr std::size_t most_threads = 1 << 20;
constexpr std::size_t sample = 32;                                 // threads that are enough to find out the layout
constexpr std::size_t bytes_before = 0x400, bytes_behind = 0x600;  // of struct pthread, around its list_t

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

using Ring = std::vector<Element>;

class Finder {
 public:
  Finder(const TargetMemory& memory, const ThreadIds& ids) : memory_(memory), ids_(ids), word_(memory.word_bytes()) {}

  ThreadLists find() {
    // A static program's own data last: a large program has much that looks like a list.
    for (const auto is : {is_library_with_lists, is_program})
      for (const Range& data : memory_.image_data(is))
        if (live_.empty()) find_rings(data);
    ThreadLists lists;
    if (live_.empty()) return lists;
    const std::optional<std::size_t> stack = find_stack_words();
    const std::optional<std::size_t> self = find_self_distance();
    for (const Element& element : live_) {
      if (element.tid != 0) lists.control_blocks.push_back({element.tid, element.node - self.value_or(0)});
      if (stack) add_stack(element, *stack, ThreadStack::Owner::Ended, lists);
    }
    for (const Ring& ring : idle_)
      for (const Element& element : ring)
        if (stack) add_stack(element, *stack, ThreadStack::Owner::Nobody, lists);
    return lists;
  }

 private:
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

  bool may_be_node(Address address) const { return address != 0 && address % word_ == 0 && memory_.writable(address); }

  /// Reads the ring, up to where it returns to its head. A thread that comes or goes meanwhile breaks it: then again.
  void take_ring(Address head, Address first) {
    for (int attempt = 0; attempt < 3; ++attempt, first = memory_.word(head).value_or(0)) {
      Ring ring;
      bool closed = false;
      std::size_t known = 0;
      Address previous = head;
      for (Address node = first; ring.size() < most_threads;) {
        if (closed = node == head; closed || !may_be_node(node)) break;
        Element element = read_element(node);
        if (read_word(element, node + word_) != previous) break;
        known += ids_.known(element.tid);
        if (element.tid != 0 && !ids_.known(element.tid) && known == 0 && ring.size() > 8) return;  // numbers, no ids
        previous = node;
        node = read_word(element, node).value_or(0);
        ring.push_back(std::move(element));
      }
      if (!closed && attempt < 2) continue;
      if (known > 0)
        std::move(ring.begin(), ring.end(), std::back_inserter(live_));
      else if (closed)
        idle_.push_back(std::move(ring));
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
    std::optional<std::size_t> best;
    std::size_t most = 0;
    for (std::size_t offset = 4 * word_; offset + 3 * word_ <= bytes_behind; offset += word_) {
      std::size_t fit = 0;
      for (std::size_t i = 0; i < std::min(live_.size(), sample); ++i) fit += stack_by(live_[i], offset).has_value();
      if (fit > most) {
        most = fit;
        best = offset;
      }
    }
    if (best || idle_.empty()) return best;
    for (std::size_t offset = 4 * word_; offset + 3 * word_ <= bytes_behind; offset += word_)
      for (const Ring& ring : idle_)
        if (std::all_of(ring.begin(), ring.end(),
                        [&](const Element& each) { return each.tid == 0 && stack_by(each, offset); }))
          return offset;
    return std::nullopt;
  }

  /// How far before the list_t the structure begins: it holds its own address at its beginning, twice (tcbhead_t of
  /// x86; other machines have no such words).
  std::optional<std::size_t> find_self_distance() const {
    for (std::size_t distance = word_; distance < bytes_before; distance += word_) {
      const bool all = std::all_of(live_.begin(), live_.end(), [&](const Element& element) {
        const Address self = element.node - distance;
        return element.begin <= self && read_word(element, self) == self &&
               read_word(element, self + 2 * word_) == self;
      });
      if (all) return distance;
    }
    return std::nullopt;
  }

  void add_stack(const Element& element, std::size_t words, ThreadStack::Owner without_thread,
                 ThreadLists& lists) const {
    auto stack = stack_by(element, words);
    if (!stack) return;
    if (element.tid == 0 || without_thread == ThreadStack::Owner::Nobody) stack->owner = without_thread;
    lists.stacks.push_back(*stack);
  }

  const TargetMemory& memory_;
  const ThreadIds& ids_;
  std::size_t word_;
  Ring live_;               // of all rings with a thread of the target
  std::vector<Ring> idle_;  // rings of no known thread: the kept stacks, or something else
};

}  // namespace

ThreadLists find_glibc_threads(const TargetMemory& memory, const ThreadIds& ids) { return Finder(memory, ids).find(); }

}  // namespace vmscan
