// Names for stacks in memory that belongs to somebody else: a block of malloc, a runtime's heap, a variable, or memory
// of which nobody knows how much of it is the stack.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "libvmscan/classify/claiming.h"
#include "libvmscan/classify/thread_label.h"

namespace vmscan {
namespace {

constexpr std::size_t most_names = 2;  // of a region

using Labels = std::map<std::int32_t, std::vector<std::string>>;  // by claim

void add_text(std::string& text, std::string_view separator, const std::string& more) {
  text += (text.empty() ? "" : std::string(separator)) + more;
}

/// `range`: pages of the stack; where it is smaller than a page, of what holds it.
void label(Pieces& pieces, Range range, const std::string& owner, Labels& labels) {
  std::int32_t last = Piece::unclaimed;
  for (std::size_t i = pieces.find(range.begin); i < pieces.pieces.size() && pieces.pieces[i].range.begin < range.end;
       ++i) {
    Piece& piece = pieces.pieces[i];
    if (piece.claim == Piece::unclaimed ||
        pieces.claims[static_cast<std::size_t>(piece.claim)].type == RegionType::Stack)
      continue;
    if (range.contains(piece.range)) {
      std::string details = piece.details.text();
      add_text(details, "; ", "stack of " + owner);
      piece.details = std::move(details);
    }
    if (piece.claim != last) labels[last = piece.claim].push_back(owner);
  }
}

void add_to_claims(Pieces& pieces, const Labels& labels) {
  for (const auto& [index, owners] : labels) {
    Claim& claim = pieces.claims[static_cast<std::size_t>(index)];
    std::string text = owners.front();
    for (std::size_t i = 1; i < std::min(owners.size(), most_names); ++i) text += " and " + owners[i];
    if (owners.size() > most_names) text = fmt::format("{} threads", owners.size());
    add_text(claim.evidence, "; ", "holds the stack of " + text);
    // An image is known by its path, and a runtime moves its threads' stacks about.
    if (claim.type == RegionType::Heap) claim.details += std::string(stacks_in_it) + text;
    if (claim.type == RegionType::PrivateData) add_text(claim.details, "; ", "stack of " + text);
  }
}

/// Where a thread's stack pointer lies that nothing else tells of.
bool needs_label(const Pieces& pieces, const Thread& thread, const std::set<std::uint32_t>& listed) {
  if (!thread.stack_pointer || listed.contains(thread.id) || thread.id == pieces.facts.target.pid) return false;
  const std::size_t index = pieces.find(*thread.stack_pointer);
  if (index == pieces.pieces.size() || pieces.pieces[index].claim == Piece::unclaimed) return false;
  const RegionType type = pieces.claims[static_cast<std::size_t>(pieces.pieces[index].claim)].type;
  return type == RegionType::Heap || type == RegionType::PrivateData || type == RegionType::Image;
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

std::string owner_label(const Facts& facts, const ThreadStack& stack) {
  if (stack.owner == ThreadStack::Owner::Ended) return std::string(ended_stack);
  if (stack.owner == ThreadStack::Owner::Nobody) return std::string(kept_stack);
  return thread_label(facts.threads, stack.thread);
}

bool lies_in_anothers(const Facts& facts, const ThreadStack& stack) {
  if (stack.guard_size != 0) return false;
  const auto holds = [&](const auto& part) { return part.range.contains(stack.range); };
  return std::any_of(facts.heaps.begin(), facts.heaps.end(),
                     [&](const HeapPart& part) { return part.kind != HeapPart::Kind::Loader && holds(part); }) ||
         std::any_of(facts.runtimes.begin(), facts.runtimes.end(), holds);
}

void label_stacks(Pieces& pieces) {
  Labels labels;
  for (const ThreadStack& stack : pieces.facts.stacks) {
    Range range = nearest_pages(stack.range, pieces.facts.target.page_size);
    if (range.empty()) range = stack.range;
    label(pieces, range, owner_label(pieces.facts, stack), labels);
  }
  const auto listed = threads_with_listed_stack(pieces.facts);
  for (const Thread& thread : pieces.facts.threads)
    if (needs_label(pieces, thread, listed))
      label(pieces, {*thread.stack_pointer, *thread.stack_pointer + 1}, thread_label(thread), labels);
  add_to_claims(pieces, labels);
}

/// A thread that the program made with clone() is in no list, and nothing tells how large its stack is. A thread that
/// waits has used little, and from the end on: where that is not so, the mapping holds more than a stack.
void claim_lone_stacks(Pieces& pieces, const Rule& rule) {
  constexpr std::uint64_t most_used = 256 << 10, most_bytes = 64 << 20;
  const auto listed = threads_with_listed_stack(pieces.facts);
  for (const Thread& thread : pieces.facts.threads) {
    if (!thread.stack_pointer || listed.contains(thread.id) || thread.id == pieces.facts.target.pid) continue;
    const Address pointer = *thread.stack_pointer;
    const std::size_t index = pieces.find(pointer);
    if (index == pieces.pieces.size()) continue;
    const Piece& piece = pieces.pieces[index];
    const Mapping& mapping = pieces.mapping(piece);
    if (piece.claim != Piece::unclaimed) {
      Claim& claim = pieces.claims[static_cast<std::size_t>(piece.claim)];
      if (claim.rule == &rule) claim.details += "; " + thread_label(thread);
      continue;
    }
    if (!pieces.nameless(piece) || piece.guard || !mapping.read || !mapping.write || piece.range.size() > most_bytes ||
        piece.range.end - pointer > most_used || go_heap.contains(pointer))
      continue;
    const Range used{pointer - pointer % pieces.facts.target.page_size, piece.range.end};
    const PageCounts counts = pieces.facts.pages.count(used);
    if (pieces.facts.pages_known && counts.in_ram() + counts.swapped < used.size()) continue;
    claim_group(pieces, rule, index, index + 1, thread_label(thread),
                fmt::format("stack pointer {:#x} of thread {}, which no list has, {} bytes below the end", pointer,
                            thread.id, piece.range.end - pointer));
  }
}

}  // namespace vmscan
