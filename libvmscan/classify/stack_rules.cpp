// Stacks of threads.
#include <fmt/format.h>

#include <algorithm>

#include "libvmscan/classify/claiming.h"
#include "libvmscan/classify/stack_depth.h"
#include "libvmscan/classify/thread_label.h"

namespace vmscan {
namespace {

constexpr std::uint64_t max_guard_bytes = 1 << 20;

/// Number of pieces directly below `index` that guard it: reserved, small, nobody else's.
std::size_t guards_below(const Pieces& pieces, std::size_t index) {
  std::size_t count = 0;
  std::uint64_t bytes = 0;
  while (index > count) {
    const Piece& piece = pieces.pieces[index - count - 1];
    if (!pieces.touches_next(index - count - 1) || !pieces.free(piece) || !pieces.nameless(piece) ||
        pieces.accessible(piece))
      break;
    bytes += piece.range.size();
    if (bytes > max_guard_bytes) return 0;
    ++count;
  }
  return count;
}

/// Whether a guard may have been there that the source does not tell of: nothing is known directly below.
bool hole_below(const Pieces& pieces, std::size_t index) {
  return !pieces.facts.inaccessible_known && (index == 0 || !pieces.touches_next(index - 1)) &&
         !go_heap.contains(pieces.pieces[index].range.begin);
}

std::string main_thread_label(const Facts& facts) {
  for (const Thread& thread : facts.threads)
    if (thread.id == facts.target.pid) return thread_label(thread) + ", main thread";
  return "main thread";
}

/// `beside`: the thread has a stack already, so that this one is for signals, or for a coroutine.
void claim_stack(Pieces& pieces, const Rule& rule, std::size_t index, const Thread& thread, Address pointer,
                 bool beside) {
  const std::size_t guards = guards_below(pieces, index);
  if (guards == 0 && !hole_below(pieces, index)) return;
  for (std::size_t i = index - guards; i < index; ++i) pieces.pieces[i].details = "Guard";
  claim_group(pieces, rule, index - guards, index + 1, thread_label(thread) + (beside ? ", another stack" : ""),
              fmt::format("stack pointer {:#x} of thread {}", pointer, thread.id));
}

std::optional<Address> stack_pointer_of(const Facts& facts, const ThreadStack& stack) {
  if (stack.owner != ThreadStack::Owner::Thread) return std::nullopt;
  const auto thread = std::partition_point(facts.threads.begin(), facts.threads.end(),
                                           [&](const Thread& each) { return each.id < stack.thread; });
  return thread != facts.threads.end() && thread->id == stack.thread ? thread->stack_pointer : std::nullopt;
}

void claim_listed(Pieces& pieces, const Rule& rule, const ThreadStack& stack) {
  const Range range = nearest_pages(stack.range, pieces.facts.target.page_size);
  const auto guard_end = Range::make(stack.range.begin, stack.guard_size);
  std::size_t begin = pieces.find(range.begin);
  if (begin == pieces.pieces.size() && guard_end)
    begin = pieces.find(guard_end->end);  // a core may leave the guard out
  while (begin < pieces.pieces.size() && range.contains(pieces.pieces[begin].range)) {
    std::size_t end = begin;
    for (; end < pieces.pieces.size() && range.contains(pieces.pieces[end].range) && pieces.free(pieces.pieces[end]) &&
           pieces.anonymous(pieces.pieces[end]) && (end == begin || pieces.touches_next(end - 1));
         ++end)
      if (guard_end && pieces.pieces[end].range.end <= guard_end->end) pieces.pieces[end].details = "Guard";
    if (end == begin) {
      ++begin;  // explained by something stronger, such as an image that holds the stack
      continue;
    }
    const Range body{guard_end ? guard_end->end : range.begin, range.end};
    claim_group(
        pieces, rule, begin, end,
        owner_label(pieces.facts, stack) + (stack.given ? ", memory of the program's own" : ""),
        fmt::format("{}'s list: [{:#x}, {:#x}), guard {} K{}", stack.library, stack.range.begin, stack.range.end,
                    stack.guard_size / 1024, deepest_use(pieces.facts, body, stack_pointer_of(pieces.facts, stack))));
    begin = end;
  }
}

void claim_by_owner(Pieces& pieces, const Rule& rule, bool kept) {
  for (const ThreadStack& stack : pieces.facts.stacks)
    if ((stack.owner == ThreadStack::Owner::Nobody) == kept && !lies_in_anothers(pieces.facts, stack))
      claim_listed(pieces, rule, stack);
}

void claim_signal_stack(Pieces& pieces, const Rule& rule, const SignalStack& stack) {
  const Range range = nearest_pages(stack.range, pieces.facts.target.page_size);
  const std::size_t begin = pieces.find(range.begin);
  std::size_t end = begin;
  while (end < pieces.pieces.size() && range.contains(pieces.pieces[end].range) && pieces.free(pieces.pieces[end]) &&
         pieces.anonymous(pieces.pieces[end]) && (end == begin || pieces.touches_next(end - 1)))
    ++end;
  if (end == begin || pieces.pieces[begin].range.begin != range.begin || pieces.pieces[end - 1].range.end != range.end)
    return;  // somebody has a part of it
  const std::size_t guards = guards_below(pieces, begin);
  for (std::size_t i = begin - guards; i < begin; ++i) pieces.pieces[i].details = "Guard";
  claim_group(pieces, rule, begin - guards, end,
              thread_label(pieces.facts.threads, stack.thread) + ", alternate signal stack",
              fmt::format("signal frame at {:#x}: [{:#x}, {:#x}){}", stack.frame, stack.range.begin, stack.range.end,
                          deepest_use(pieces.facts, stack.range, std::nullopt)));
}

/// One page that may not be touched, and directly above it a mapping of `size` bytes, nobody else's.
bool looks_like_signal_stack(const Pieces& pieces, std::size_t index, std::uint64_t size) {
  const Piece &piece = pieces.pieces[index], &guard = pieces.pieces[index - 1];
  const Mapping& mapping = pieces.mapping(piece);
  const bool stack = pieces.free(piece) && pieces.nameless(piece) && !piece.guard && mapping.read && mapping.write &&
                     !mapping.execute && piece.range == mapping.range && piece.range.size() == size;
  return stack && pieces.touches_next(index - 1) && pieces.free(guard) && pieces.nameless(guard) &&
         !pieces.accessible(guard) && guard.range == pieces.mapping(guard).range &&
         guard.range.size() == pieces.facts.target.page_size;
}

/// Whether one of the rules before has found the stack that the kernel gave the main thread.
bool has_main_stack(const Pieces& pieces) {
  return std::any_of(pieces.claims.begin(), pieces.claims.end(), [](const Claim& claim) {
    return claim.rule->name == "main_stack" || claim.rule->name == "initial_stack";
  });
}

/// Where the thread was before a signal moved it to its alternate signal stack.
std::optional<Address> own_stack_pointer(const Facts& facts, const Thread& thread) {
  for (const SignalStack& stack : facts.signal_stacks)
    if (thread.stack_pointer && stack.thread == thread.id && stack.range.contains(*thread.stack_pointer))
      return stack.interrupted;
  return thread.stack_pointer;
}

/// Whether every thread but the main one has a stack already: what still looks like one is something else.
bool all_stacks_known(const Pieces& pieces) {
  const Facts& facts = pieces.facts;
  const auto listed = threads_with_listed_stack(facts);
  return std::all_of(facts.threads.begin(), facts.threads.end(), [&](const Thread& thread) {
    return thread.id == facts.target.pid || thread.stack_pointer || listed.contains(thread.id);
  });
}

}  // namespace

void claim_listed_stacks(Pieces& pieces, const Rule& rule) { claim_by_owner(pieces, rule, false); }
void claim_kept_stacks(Pieces& pieces, const Rule& rule) { claim_by_owner(pieces, rule, true); }

void claim_stack_shapes(Pieces& pieces, const Rule& rule) {
  if (pieces.facts.target.system == "windows" || all_stacks_known(pieces)) return;
  const auto limit = std::find_if(pieces.facts.limits.begin(), pieces.facts.limits.end(),
                                  [](const Limit& each) { return each.name == "stack"; });
  constexpr std::uint64_t usual = 8 << 20;  // RLIMIT_STACK of most systems, which C libraries take as the default
  const std::uint64_t size =
      limit != pieces.facts.limits.end() && limit->limit.known() && !limit->unlimited ? *limit->limit : usual;
  for (std::size_t i = 1; i < pieces.pieces.size(); ++i) {
    const Piece& piece = pieces.pieces[i];
    const Mapping& mapping = pieces.mapping(piece);
    if (!pieces.free(piece) || !pieces.nameless(piece) || piece.guard || !mapping.read || !mapping.write) continue;
    const std::size_t guards = guards_below(pieces, i);
    if (guards == 0) continue;
    const std::uint64_t whole = piece.range.end - pieces.pieces[i - guards].range.begin;
    if (piece.range.size() != size && whole != size) continue;
    for (std::size_t j = i - guards; j < i; ++j) pieces.pieces[j].details = "Guard";
    claim_group(pieces, rule, i - guards, i + 1, "looks like a thread's stack",
                fmt::format("{} K with a guard below, as the stack limit", piece.range.size() / 1024));
  }
}

void claim_signal_stacks(Pieces& pieces, const Rule& rule) {
  for (const SignalStack& stack : pieces.facts.signal_stacks) claim_signal_stack(pieces, rule, stack);
}

/// What Rust's standard library maps for each of its threads (std::sys::…::stack_overflow): a page as a guard, and
/// SIGSTKSZ, or what the processor needs when that is more. More of them than threads are something else.
void claim_signal_stack_shapes(Pieces& pieces, const Rule& rule) {
  const Facts& facts = pieces.facts;
  if (facts.target.system == "windows") return;
  const std::uint64_t usual = facts.target.machine == "aarch64" ? 16 << 10 : 8 << 10;  // SIGSTKSZ
  const std::uint64_t page = facts.target.page_size;
  const std::uint64_t size =
      (std::max(usual, std::min(facts.least_signal_stack.value_or(0), max_guard_bytes)) + page - 1) / page * page;
  std::vector<std::size_t> found;
  for (std::size_t i = 1; i < pieces.pieces.size(); ++i)
    if (looks_like_signal_stack(pieces, i, size)) found.push_back(i);
  if (found.size() > facts.threads.size()) return;
  for (const std::size_t i : found) {
    pieces.pieces[i - 1].details = "Guard";
    claim_group(pieces, rule, i - 1, i + 1, "likely an alternate signal stack",
                fmt::format("{} K with one page as a guard below, as Rust's library maps it", size / 1024));
  }
}

void claim_main_stack(Pieces& pieces, const Rule& rule) {
  claim_each(pieces, rule,
             [](const Mapping& mapping) { return mapping.path == "[stack]" || mapping.path.starts_with("[stack:"); });
  for (Claim& claim : pieces.claims) {
    if (claim.rule != &rule || claim.details != "[stack]") continue;
    claim.evidence = "[stack]";
    claim.details = main_thread_label(pieces.facts);
  }
}

void claim_initial_stack(Pieces& pieces, const Rule& rule) {
  if (!pieces.facts.initial_stack) return;
  const std::size_t index = pieces.find(*pieces.facts.initial_stack);
  if (index == pieces.pieces.size() || !pieces.free(pieces.pieces[index]) || !pieces.nameless(pieces.pieces[index]))
    return;
  claim_group(pieces, rule, index, index + 1, main_thread_label(pieces.facts),
              fmt::format("AT_RANDOM points to {:#x} in it", *pieces.facts.initial_stack));
}

void claim_thread_stacks(Pieces& pieces, const Rule& rule) {
  auto known = threads_with_listed_stack(pieces.facts);
  if (has_main_stack(pieces)) known.insert(pieces.facts.target.pid.value_or(0));
  for (const Thread& thread : pieces.facts.threads) {
    const std::optional<Address> pointer = own_stack_pointer(pieces.facts, thread);
    if (!pointer) continue;
    const std::size_t index = pieces.find(*pointer);
    if (index == pieces.pieces.size()) continue;
    const Piece& piece = pieces.pieces[index];
    const Mapping& mapping = pieces.mapping(piece);
    if (pieces.free(piece) && pieces.nameless(piece) && !piece.guard && mapping.read && mapping.write)
      claim_stack(pieces, rule, index, thread, *pointer, known.contains(thread.id));
    else if (piece.claim != Piece::unclaimed && pieces.claims[static_cast<std::size_t>(piece.claim)].rule == &rule)
      pieces.claims[static_cast<std::size_t>(piece.claim)].details += "; " + thread_label(thread);
  }
}

}  // namespace vmscan
