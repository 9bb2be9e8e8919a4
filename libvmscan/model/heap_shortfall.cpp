#include "libvmscan/model/heap_shortfall.h"

#include <fmt/format.h>

#include <algorithm>

#include "libvmscan/model/snapshot.h"

namespace vmscan {
namespace {

using Reason = HeapShortfall::Reason;

/// The name may come from a file, and then be anything.
std::string_view owner_of(const HeapShortfall& shortfall) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 6> known{{{"glibc", "glibc's malloc"},
                                                                                {"musl", "musl's malloc"},
                                                                                {"mallocng", "musl's malloc"},
                                                                                {"jemalloc", "jemalloc"},
                                                                                {"mimalloc", "mimalloc"},
                                                                                {"tcmalloc", "tcmalloc"}}};
  for (const auto& [name, owner] : known)
    if (shortfall.allocator == name) return owner;
  return shortfall.allocator.empty() ? "an allocator" : "another allocator";
}

/// "3 blocks of 812 K", "812 K", "3 blocks", "memory".
std::string amount_of(const HeapShortfall& shortfall) {
  const std::string size =
      shortfall.bytes ? fmt::format("{} K", *shortfall.bytes / 1024 + (*shortfall.bytes % 1024 != 0)) : std::string{};
  if (shortfall.blocks.value_or(0) == 0) return size.empty() ? "memory" : size;
  const std::string count = fmt::format("{} block{}", *shortfall.blocks, *shortfall.blocks == 1 ? "" : "s");
  return size.empty() ? count : fmt::format("{} of {}", count, size);
}

}  // namespace

void blame_swapped(std::span<HeapShortfall> shortfalls) {
  for (HeapShortfall& shortfall : shortfalls) {
    const bool broken = shortfall.reason == Reason::NotUnderstood && shortfall.bytes.known();
    if (!broken && shortfall.reason != Reason::SearchEnded) shortfall.reason = Reason::SwappedOut;
  }
}

std::string amount_and_reason(const HeapShortfall& shortfall) {
  const std::string_view owner = owner_of(shortfall);
  const std::string amount = amount_of(shortfall);
  switch (shortfall.reason) {
    case Reason::NotFound:
      return fmt::format("{} counts {} more than could be found", owner, amount);
    case Reason::SwappedOut:
      return fmt::format("{} of {} is swapped out and was not read", amount, owner);
    case Reason::Unreadable:
      return fmt::format("{} of {} could not be read", amount, owner);
    case Reason::SearchEnded:
      return fmt::format("{} of {} was not found before the search reached its bound", amount, owner);
    case Reason::NotUnderstood:
      return fmt::format("{} of {} has structures that are broken or not known", amount, owner);
  }
  return {};
}

std::string_view way_out(Reason reason) {
  if (reason == Reason::SwappedOut) return "--all-pages reads it";
  if (reason == Reason::Unreadable) return "a core or a dump with all memory has it";
  return {};
}

std::string describe(const HeapShortfall& shortfall) {
  std::string text = amount_and_reason(shortfall);
  text += shortfall.figures == HeapShortfall::Figures::Regions
              ? ": heaps are too small by that and private data too large"
              : ": what heaps hold is too low by that";
  text += ", and a gate on them cannot be judged";
  if (const std::string_view out = way_out(shortfall.reason); !out.empty()) text += fmt::format("; {}", out);
  return text;
}

void add_heap_shortfalls(Snapshot& snapshot, std::span<const HeapShortfall> shortfalls) {
  for (const HeapShortfall& shortfall : shortfalls) {
    const bool told = std::ranges::any_of(snapshot.heap_shortfalls, [&](const HeapShortfall& other) {
      return other.allocator == shortfall.allocator && other.reason == shortfall.reason;
    });
    snapshot.heap_shortfalls.push_back(shortfall);
    if (!told) snapshot.notes.push_back({"heap_shortfall", describe(shortfall)});
  }
}

}  // namespace vmscan
