#include "libvmscan/classify/stack_depth.h"

#include <fmt/format.h>

#include <algorithm>

namespace vmscan {
namespace {

std::uint64_t kibibytes(std::uint64_t bytes) { return (bytes + 1023) / 1024; }

enum class Hugeness : std::uint8_t { Small, Perhaps, Huge };

/// Of the page with `address`, which is in RAM.
Hugeness hugeness_at(const Facts& facts, Address address) {
  if (!facts.huge_pages || facts.huge_pages->size == 0) return Hugeness::Small;
  const HugePages& huge = *facts.huge_pages;
  const auto after = std::upper_bound(huge.pages.begin(), huge.pages.end(), address);
  if (after != huge.pages.begin() && address - *(after - 1) < huge.size) return Hugeness::Huge;
  if (huge.complete) return Hugeness::Small;
  const auto page = Range::make(address - address % huge.size, huge.size);
  return page && facts.pages.count(*page).in_ram() == huge.size ? Hugeness::Perhaps : Hugeness::Small;
}

/// Where the part begins that the thread uses now; nothing for a running thread, and one that is on another stack.
std::optional<Address> in_use_from(const Facts& facts, const ThreadStack& stack) {
  if (stack.owner != ThreadStack::Owner::Thread) return stack.range.end;
  const auto thread = std::partition_point(facts.threads.begin(), facts.threads.end(),
                                           [&](const Thread& each) { return each.id < stack.thread; });
  if (thread == facts.threads.end() || thread->id != stack.thread || !thread->stack_pointer ||
      !stack.range.contains(*thread->stack_pointer))
    return std::nullopt;
  return *thread->stack_pointer;
}

}  // namespace

std::string deepest_use(const Facts& facts, Range stack, std::optional<Address> pointer) {
  if (!facts.pages_known) return {};
  const auto runs = facts.pages.touching(stack);
  const auto lowest = std::find_if(runs.begin(), runs.end(), [](const PageRun& run) {
    return (run.condition & (page::present | page::swapped)) != 0 && (run.condition & page::guard) == 0;
  });
  if (lowest == runs.end()) return ", never used";
  const Address deepest = std::max(lowest->range.begin, stack.begin);
  const bool in_ram = (lowest->condition & page::present) != 0;
  const Hugeness hugeness = in_ram ? hugeness_at(facts, deepest) : Hugeness::Small;
  if (hugeness == Hugeness::Small) return fmt::format(", used {} K deep", kibibytes(stack.end - deepest));
  std::string text =
      fmt::format(", {} K in RAM{} as a huge page: depth unknown", kibibytes(facts.pages.count(stack).in_ram()),
                  hugeness == Hugeness::Perhaps ? ", perhaps" : "");
  if (pointer && stack.contains(*pointer)) text += fmt::format(", {} K in use now", kibibytes(stack.end - *pointer));
  return text;
}

std::optional<HugeStacks> huge_stacks_of(const Facts& facts) {
  if (!facts.huge_pages) return std::nullopt;
  const HugePages& huge = *facts.huge_pages;
  HugeStacks found{.page_bytes = huge.size, .on_request = huge.policy == HugePages::Policy::OnRequest};
  for (const ThreadStack& stack : facts.stacks) {
    const auto used = in_use_from(facts, stack);
    if (!used) continue;
    const std::uint64_t pages_before = found.pages;
    auto page = std::lower_bound(huge.pages.begin(), huge.pages.end(), stack.range.begin);
    for (; page != huge.pages.end() && *page < *used && stack.range.end - *page >= huge.size; ++page) {
      ++found.pages;
      const Address in_use = *used - *used % facts.target.page_size;
      found.unused += std::min(huge.size, in_use - std::min(in_use, *page));
    }
    found.stacks += found.pages > pages_before;
  }
  return found.pages > 0 ? std::optional(found) : std::nullopt;
}

}  // namespace vmscan
