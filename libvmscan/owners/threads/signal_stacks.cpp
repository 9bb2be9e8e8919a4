// Alternate signal stacks, by the frames of signal handlers that have not returned yet. The kernel writes into each
// frame the alternate stack of the thread, whichever stack the frame itself lies on (__save_altstack in
// kernel/signal.c). In words of the target (arch/x86/include/asm/sigframe.h, uapi/asm/sigcontext.h):
//   x86_64: restorer, ucontext
//     ucontext: flags, link (0), ss_sp, ss_flags, ss_size, r8 … r15, di, si, bp, bx, dx, ax, cx, sp, ip, flags, cs …
//   i386: restorer, signal, &siginfo, &ucontext, siginfo (128 bytes), ucontext
//     ucontext: flags, link (0), ss_sp, ss_flags, ss_size, gs, fs, es, ds, di, si, bp, sp …
//     This is for handlers that take a siginfo; the frames of others do not tell.
// The restorer, to which the handler returns, calls rt_sigreturn: `mov $15, %rax; syscall`, as glibc 2.36, musl 1.2.3
// and Go 1.19 have it on x86_64, or the shorter `mov $15, %eax`.
#include <algorithm>
#include <array>
#include <map>

#include "libvmscan/owners/threads/thread_stacks.h"

namespace vmscan {
namespace {

constexpr std::uint64_t most_thread_bytes = 256 << 10, most_bytes = 64 << 20;  // of stacks that are searched
constexpr std::uint64_t least_stack = 2048;  // MINSIGSTKSZ, below which nothing is set
constexpr std::uint64_t most_stack = 1 << 30;
constexpr std::uint64_t uc_flags = 7;  // UC_FP_XSTATE, UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS
constexpr std::uint64_t ss_on_stack = 1, ss_auto_disarm = 1U << 31;  // of ss_flags; SS_DISABLE: there is none
constexpr std::uint64_t most_frame = 64 << 10;  // with the registers behind it: AT_MINSIGSTKSZ is 12 KiB at most so far
constexpr std::size_t frame_bytes_64 = 200, frame_bytes_32 = 196;
constexpr std::array<unsigned char, 9> restorer{0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};
constexpr std::array<unsigned char, 7> short_restorer{0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05};

class Finder {
 public:
  explicit Finder(const TargetMemory& memory) : memory_(memory) {}

  std::optional<SignalStack> find(const Thread& thread) {
    const Mapping* mapping = thread.stack_pointer ? memory_.mapping_of(*thread.stack_pointer) : nullptr;
    if (mapping == nullptr || !mapping->write || left_ == 0) return std::nullopt;
    const Address from = (*thread.stack_pointer + 7) / 8 * 8;
    const Range searched{from, std::min(mapping->range.end, from + std::min(most_thread_bytes, left_))};
    std::optional<SignalStack> found;
    if (searched.end <= from) return found;
    for_each_readable_run(memory_, searched, most_thread_bytes, [&](Address at, std::span<const std::byte> bytes) {
      left_ -= std::min<std::uint64_t>(left_, bytes.size());
      found = memory_.word_bytes() == 8 ? search_64(at, bytes) : search_32(at, bytes);
      return !found && !memory_.refusal();
    });
    if (found) found->thread = thread.id;
    return found;
  }

 private:
  std::optional<SignalStack> search_64(Address at, std::span<const std::byte> bytes) {
    for (std::size_t i = (24 - at % 16) % 16; i + frame_bytes_64 <= bytes.size(); i += 16) {
      const auto word = [&](std::size_t index) { return memory_.word_at(bytes, i + 8 * index); };
      const bool frame = (word(1) & ~uc_flags) == 0 && word(2) == 0 && (word(24) & 0xffff) == 0x33;  // cs of user code
      if (!frame) continue;
      const auto stack = stack_of(word(3), memory_.half_at(bytes, i + 32), word(5));
      if (!stack || !follows(at + i, word(21), *stack)) continue;
      if (!returns_from_signal(word(0), stack->contains(at + i))) continue;
      return SignalStack{.range = *stack, .thread = 0, .frame = at + i, .interrupted = word(21)};
    }
    return std::nullopt;
  }

  std::optional<SignalStack> search_32(Address at, std::span<const std::byte> bytes) {
    constexpr std::size_t info = 16, context = info + 128;
    for (std::size_t i = 0; i + frame_bytes_32 <= bytes.size(); i += 4) {
      const auto word = [&](std::size_t offset) { return memory_.word_at(bytes, i + offset); };
      if (word(8) != at + i + info || word(12) != at + i + context || word(4) == 0 || word(4) > 64) continue;
      if ((word(context) & ~uc_flags) != 0 || word(context + 4) != 0) continue;
      const auto stack = stack_of(word(context + 8), word(context + 12), word(context + 16));
      if (stack && follows(at + i, word(context + 48), *stack))
        return SignalStack{.range = *stack, .thread = 0, .frame = at + i, .interrupted = word(context + 48)};
    }
    return std::nullopt;
  }

  /// A frame on the stack that was in use lies directly below what it interrupted.
  static bool follows(Address frame, Address interrupted, Range alternate) {
    return alternate.contains(frame) || (interrupted > frame && interrupted - frame <= most_frame);
  }

  /// Nothing when none is set, or it cannot be one: private memory of the program's own.
  std::optional<Range> stack_of(Address begin, std::uint64_t flags, std::uint64_t size) const {
    if (begin == 0 || size < least_stack || size > most_stack || (flags & ~(ss_on_stack | ss_auto_disarm)) != 0)
      return std::nullopt;
    const auto range = Range::make(begin, size);
    if (!range || !memory_.mapped(*range)) return std::nullopt;
    for (Address at = range->begin; at < range->end;) {
      const Mapping* mapping = memory_.mapping_of(at);
      const bool own = mapping->read && mapping->write && mapping->inode == 0 && !mapping->shared;
      if (!own || mapping->path.starts_with("[heap") || mapping->path.starts_with("[stack")) return std::nullopt;
      at = mapping->range.end;
    }
    return range;
  }

  /// Where the code cannot be read without changing the target, a frame is believed that lies on the stack it names.
  bool returns_from_signal(Address code, bool on_its_stack) {
    const Mapping* mapping = memory_.mapping_of(code);
    if (mapping == nullptr || !mapping->execute) return false;
    const auto known = restorers_.find(code);
    if (known != restorers_.end()) return known->second;
    std::array<std::byte, 9> bytes{};
    const auto range = Range::make(code, bytes.size());
    const auto there = range ? memory_.readable(*range) : std::vector<Range>{};
    bool read = there.size() == 1 && there[0] == *range && memory_.read(code, bytes) == bytes.size();
    if (!read && mapping->inode != 0)
      if (const auto file = memory_.mapped_file(*mapping))
        read = file->read_whole(mapping->offset + (code - mapping->range.begin), bytes);
    if (!read) return on_its_stack;
    const auto same = [&](const auto& expected) {
      return std::equal(expected.begin(), expected.end(), bytes.begin(),
                        [](unsigned char a, std::byte b) { return std::byte{a} == b; });
    };
    return restorers_[code] = same(restorer) || same(short_restorer);
  }

  const TargetMemory& memory_;
  std::uint64_t left_ = most_bytes;
  std::map<Address, bool> restorers_;
};

template <class Item>
bool overlaps_any(const std::vector<Item>& items, Range range) {
  return std::any_of(items.begin(), items.end(), [&](const Item& item) { return item.range.overlaps(range); });
}

}  // namespace

void find_signal_stacks(Facts& facts, const MemoryReader& reader) {
  facts.signal_stacks.clear();
  std::vector<SignalStack> found;
  {
    const TargetMemory memory(facts, reader);
    Finder finder(memory);
    for (const Thread& thread : facts.threads)
      if (const auto stack = finder.find(thread)) found.push_back(*stack);
    const std::vector<SignalStack> idle = find_idle_signal_stacks(memory);
    found.insert(found.end(), idle.begin(), idle.end());
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const SignalStack& a, const SignalStack& b) { return a.range.begin < b.range.begin; });
  Address end = 0;
  for (const SignalStack& stack : found) {
    // Memory of a heap, a runtime or another stack stays theirs.
    if (stack.range.begin < end || overlaps_any(facts.stacks, stack.range) || overlaps_any(facts.heaps, stack.range) ||
        overlaps_any(facts.runtimes, stack.range))
      continue;
    end = stack.range.end;
    facts.signal_stacks.push_back(stack);
  }
}

}  // namespace vmscan
