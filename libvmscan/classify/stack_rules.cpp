// Stacks of threads.
#include <fmt/format.h>

#include <algorithm>
#include <map>

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

void claim_signal_stack(Pieces& pieces, const Rule& rule, const SignalStack& stack, std::string details,
                        std::string evidence) {
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
  claim_group(pieces, rule, begin - guards, end, std::move(details), std::move(evidence));
}

std::string idle_label(const Facts& facts, const SignalStack& stack) {
  const std::string what = "likely an alternate signal stack";
  return stack.thread == 0 ? what : thread_label(facts.threads, stack.thread) + ", " + what;
}

std::string idle_evidence(const SignalStack& stack) {
  const std::string shape =
      fmt::format("{} K with one page as a guard below, as Rust's library maps it; ", stack.range.size() / 1024);
  return shape + (stack.kept_at == 0 ? "a frame of a signal handler in it names it"
                                     : fmt::format("never used, and its address is kept at {:#x}", stack.kept_at));
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
    if (thread.stack_pointer && stack.frame != 0 && stack.thread == thread.id &&
        stack.range.contains(*thread.stack_pointer))
      return stack.interrupted;
  return thread.stack_pointer;
}

/// How many threads, but the main one, have no stack yet.
std::size_t threads_without_stack(const Facts& facts) {
  const auto listed = threads_with_listed_stack(facts);
  return static_cast<std::size_t>(std::ranges::count_if(facts.threads, [&](const Thread& thread) {
    return thread.id != facts.target.pid && !thread.stack_pointer && !listed.contains(thread.id);
  }));
}

/// RLIMIT_STACK, which C libraries take as the default.
std::uint64_t usual_stack_bytes(const Facts& facts) {
  constexpr std::uint64_t usual = 8 << 20;
  const auto limit = std::ranges::find(facts.limits, "stack", &Limit::name);
  return limit != facts.limits.end() && limit->limit.known() && !limit->unlimited ? *limit->limit : usual;
}

struct StackShape {
  std::size_t guards = 0, index = 0;  // of the first guard, and of the stack
};

/// A guard, the size of a stack with it or without, and a last page that was used: there a thread begins.
std::optional<StackShape> stack_shape_at(const Pieces& pieces, std::size_t index, std::uint64_t size) {
  const Piece& piece = pieces.pieces[index];
  const Mapping& mapping = pieces.mapping(piece);
  if (!pieces.free(piece) || !pieces.nameless(piece) || piece.guard || !mapping.read || !mapping.write)
    return std::nullopt;
  const std::size_t guards = guards_below(pieces, index);
  if (guards == 0) return std::nullopt;
  const std::uint64_t whole = piece.range.end - pieces.pieces[index - guards].range.begin;
  if (piece.range.size() != size && whole != size) return std::nullopt;
  if (pieces.facts.pages_known && mapping.counted == nullptr) {
    const Range last{piece.range.end - pieces.facts.target.page_size, piece.range.end};
    const PageCounts counts = pieces.facts.pages.count(last);
    if (counts.in_ram() + counts.swapped == 0) return std::nullopt;
  }
  return StackShape{index - guards, index};
}

}  // namespace

constexpr std::size_t most_further_named = 31;

void add_thread(std::string& details, std::size_t& further, const std::string& label) {
  if (++further <= most_further_named) details += "; " + label;
}

void add_unnamed_threads(std::string& details, std::size_t further) {
  if (further > most_further_named) details += fmt::format(" +{}", further - most_further_named);
}

void claim_listed_stacks(Pieces& pieces, const Rule& rule) { claim_by_owner(pieces, rule, false); }
void claim_kept_stacks(Pieces& pieces, const Rule& rule) { claim_by_owner(pieces, rule, true); }

void claim_stack_shapes(Pieces& pieces, const Rule& rule) {
  const Facts& facts = pieces.facts;
  if (facts.target.system == "windows" || facts.contents_known) return;
  const std::size_t wanted = threads_without_stack(facts);
  std::vector<StackShape> found;
  for (std::size_t i = 1; wanted > 0 && i < pieces.pieces.size(); ++i)
    if (const auto shape = stack_shape_at(pieces, i, usual_stack_bytes(facts))) found.push_back(*shape);
  if (found.size() > wanted) return;  // nobody knows which of them are stacks
  for (const StackShape& shape : found) {
    for (std::size_t j = shape.guards; j < shape.index; ++j) pieces.pieces[j].details = "Guard";
    claim_group(
        pieces, rule, shape.guards, shape.index + 1, "looks like a thread's stack",
        fmt::format("{} K with a guard below, as the stack limit", pieces.pieces[shape.index].range.size() / 1024));
  }
}

void claim_signal_stacks(Pieces& pieces, const Rule& rule) {
  for (const SignalStack& stack : pieces.facts.signal_stacks)
    if (stack.frame != 0)
      claim_signal_stack(pieces, rule, stack,
                         thread_label(pieces.facts.threads, stack.thread) + ", alternate signal stack",
                         fmt::format("signal frame at {:#x}: [{:#x}, {:#x}){}", stack.frame, stack.range.begin,
                                     stack.range.end, deepest_use(pieces.facts, stack.range, std::nullopt)));
}

void claim_signal_stack_shapes(Pieces& pieces, const Rule& rule) {
  for (const SignalStack& stack : pieces.facts.signal_stacks)
    if (stack.frame == 0)
      claim_signal_stack(pieces, rule, stack, idle_label(pieces.facts, stack), idle_evidence(stack));
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
  std::map<std::int32_t, std::size_t> further;  // threads of a claim beside its first
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
      add_thread(pieces.claims[static_cast<std::size_t>(piece.claim)].details, further[piece.claim],
                 thread_label(thread));
  }
  for (const auto& [claim, count] : further)
    add_unnamed_threads(pieces.claims[static_cast<std::size_t>(claim)].details, count);
}

}  // namespace vmscan
