// Alternate signal stacks on which no handler runs, as Rust's standard library maps one for each of its threads
// (std::sys::…::stack_overflow): a page as a guard, and SIGSTKSZ, or what the processor needs when that is more. Other
// memory may look so: an allocator's chunk with its header behind a guard (mozjemalloc), a secret between guards. So
// its bytes must be zeros, or hold what the kernel left when a handler ran there: a frame with {address, flags, size}
// of this very stack. Where they are zeros the address must stand where Rust keeps it: near the beginning of a thread's
// stack, of one thread each, or for the main thread in the program's data.
#include <algorithm>
#include <map>

#include "libvmscan/base/zero_bytes.h"
#include "libvmscan/owners/threads/thread_stacks.h"

namespace vmscan {
namespace {

constexpr std::uint64_t most_searched = 64 << 10;  // of a thread's stack, from where it begins
constexpr std::uint64_t most_needed = 1 << 20, most_data_bytes = 16 << 20;

bool is_program(const TargetMemory& memory, std::string_view path) { return path == memory.facts().target.executable; }

struct Keeper {
  std::uint32_t thread = 0;
  Address place = 0;
};

class Finder {
 public:
  explicit Finder(const TargetMemory& memory) : memory_(memory), word_(memory.word_bytes()) {}

  std::vector<SignalStack> find() {
    find_candidates();
    if (candidates_.empty()) return {};
    for (const Thread& thread : memory_.facts().threads) look_on_stack(thread);
    for (const Range& data : memory_.image_data(is_program))
      look_for_addresses(data, {.thread = memory_.facts().target.pid.value_or(0), .place = 0});
    std::vector<SignalStack> found;
    for (const auto& [begin, candidate] : candidates_) {
      const auto keeper = keepers_.find(begin);
      if (keeper == keepers_.end() && !candidate.used) continue;
      const Keeper by = keeper == keepers_.end() ? Keeper{} : keeper->second;
      found.push_back(
          {.range = candidate.range, .thread = by.thread, .frame = 0, .interrupted = 0, .kept_at = by.place});
    }
    return found;
  }

 private:
  struct Candidate {
    Range range;
    bool used = false;  // a handler ran on it
  };

  std::uint64_t size_of_stacks() const {
    const Facts& facts = memory_.facts();
    const std::uint64_t usual = facts.target.machine == "aarch64" ? 16 << 10 : 8 << 10;  // SIGSTKSZ
    const std::uint64_t needed = std::min(facts.least_signal_stack.value_or(0), most_needed);
    const std::uint64_t page = memory_.page_bytes();
    return (std::max(usual, needed) + page - 1) / page * page;
  }

  static bool plain(const Mapping& mapping) {
    return mapping.inode == 0 && !mapping.shared && mapping.path.empty() && !mapping.execute;
  }

  void find_candidates() {
    const std::uint64_t size = size_of_stacks();
    const Mapping* before = nullptr;
    for (const Mapping& mapping : memory_.mappings()) {
      const Mapping* guard = std::exchange(before, &mapping);
      if (mapping.range.size() != size || !plain(mapping) || !mapping.read || !mapping.write || guard == nullptr ||
          guard->range.end != mapping.range.begin || guard->range.size() != memory_.page_bytes() || !plain(*guard) ||
          guard->accessible())
        continue;
      if (runs_there(mapping.range)) continue;
      if (const auto used = used_by_handler(mapping.range))
        candidates_[mapping.range.begin] = {.range = mapping.range, .used = *used};
    }
  }

  bool runs_there(Range range) const {
    return std::ranges::any_of(memory_.facts().threads, [&](const Thread& thread) {
      return thread.stack_pointer && range.contains(*thread.stack_pointer);
    });
  }

  /// Whether a handler ran on what may be a signal stack; nothing when its bytes say that it is something else.
  std::optional<bool> used_by_handler(Range stack) const {
    bool zero = true, named = false;
    for_each_readable_run(
        memory_, stack, static_cast<std::size_t>(stack.size()), [&](Address, std::span<const std::byte> bytes) {
          zero &= all_zero(bytes);
          for (std::size_t i = 0; i + 3 * word_ <= bytes.size() && !named; i += word_)
            named = memory_.word_at(bytes, i) == stack.begin && memory_.word_at(bytes, i + 2 * word_) == stack.size();
          return true;
        });
    const bool all_seen = !memory_.facts().pages_known || memory_.facts().pages.count(stack).swapped == 0;
    if (memory_.refusal() || !all_seen || (!zero && !named)) return std::nullopt;
    return named;
  }

  void look_on_stack(const Thread& thread) {
    const auto& stacks = memory_.facts().stacks;
    const auto stack = std::ranges::find_if(stacks, [&](const ThreadStack& each) {
      return each.owner == ThreadStack::Owner::Thread && each.thread == thread.id;
    });
    if (stack == stacks.end() || stack->range.size() <= stack->guard_size) return;
    const Range body{stack->range.begin + stack->guard_size, stack->range.end};
    Address begin = body.end - std::min(body.size(), most_searched);
    if (thread.stack_pointer && body.contains(*thread.stack_pointer)) begin = std::max(begin, *thread.stack_pointer);
    look_for_addresses({begin - begin % word_, body.end}, {.thread = thread.id, .place = 0});
  }

  /// Of a thread the first that is kept in `where` counts.
  void look_for_addresses(Range where, Keeper keeper) {
    if (std::ranges::any_of(keepers_, [&](const auto& each) { return each.second.thread == keeper.thread; })) return;
    for_each_readable_run(memory_, where, most_data_bytes, [&](Address at, std::span<const std::byte> bytes) {
      for (std::size_t i = (word_ - at % word_) % word_; i + word_ <= bytes.size(); i += word_) {
        const Address address = memory_.word_at(bytes, i);
        if (address == 0 || !candidates_.contains(address) || keepers_.contains(address)) continue;
        keeper.place = at + i;
        keepers_.emplace(address, keeper);
        return false;
      }
      return !memory_.refusal();
    });
  }

  const TargetMemory& memory_;
  std::size_t word_;
  std::map<Address, Candidate> candidates_;  // by where they begin, behind their guard
  std::map<Address, Keeper> keepers_;        // by the same
};

}  // namespace

std::vector<SignalStack> find_idle_signal_stacks(const TargetMemory& memory) { return Finder(memory).find(); }

}  // namespace vmscan
