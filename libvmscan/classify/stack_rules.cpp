// Stacks of threads.
#include <fmt/format.h>

#include <algorithm>

#include "libvmscan/classify/claiming.h"
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

void claim_stack(Pieces& pieces, const Rule& rule, std::size_t index, const Thread& thread) {
  const std::size_t guards = guards_below(pieces, index);
  if (guards == 0 && !hole_below(pieces, index)) return;
  for (std::size_t i = index - guards; i < index; ++i) pieces.pieces[i].details = "Guard";
  claim_group(pieces, rule, index - guards, index + 1, thread_label(thread),
              fmt::format("stack pointer {:#x} of thread {}", *thread.stack_pointer, thread.id));
}

}  // namespace

std::string thread_label(const Thread& thread) {
  return thread.name.empty() ? fmt::format("Thread ID: {}", thread.id)
                             : fmt::format("Thread ID: {} ({})", thread.id, thread.name);
}

std::string thread_label(const std::vector<Thread>& threads, std::uint32_t id) {
  const auto at =
      std::partition_point(threads.begin(), threads.end(), [&](const Thread& thread) { return thread.id < id; });
  return thread_label(at != threads.end() && at->id == id ? *at : Thread{.id = id, .name = {}, .stack_pointer = {}});
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
  for (const Thread& thread : pieces.facts.threads) {
    if (!thread.stack_pointer) continue;
    const std::size_t index = pieces.find(*thread.stack_pointer);
    if (index == pieces.pieces.size()) continue;
    const Piece& piece = pieces.pieces[index];
    const Mapping& mapping = pieces.mapping(piece);
    if (pieces.free(piece) && pieces.nameless(piece) && !piece.guard && mapping.read && mapping.write)
      claim_stack(pieces, rule, index, thread);
    else if (piece.claim != Piece::unclaimed && pieces.claims[static_cast<std::size_t>(piece.claim)].rule == &rule)
      pieces.claims[static_cast<std::size_t>(piece.claim)].details += "; " + thread_label(thread);
  }
}

}  // namespace vmscan
