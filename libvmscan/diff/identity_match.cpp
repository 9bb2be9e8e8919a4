// Matching across two runs of a program. Addresses are random there, but what is mapped is mostly the same: files have
// paths, threads have names, and the kernel places mappings from the top down, so the N-th from the top of a kind tends
// to be the same one. Most mappings also keep their distance to the libraries, which all move by one offset.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <map>
#include <unordered_map>

#include "libvmscan/diff/overlap.h"

namespace vmscan {
namespace {

constexpr std::size_t most_shifts = 4;  // the executable, the libraries, the stack, and one to spare

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_file(RegionType type) {
  return type == RegionType::Image || type == RegionType::MappedFile || type == RegionType::Shareable;
}

/// "/tmp/hsperfdata_app/4711" becomes "/tmp/hsperfdata_app/#".
std::string without_numbers(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (!is_digit(c))
      out += c;
    else if (!out.ends_with('#'))
      out += '#';
  }
  return out;
}

/// "Thread ID: 71 (worker)": what stands in the brackets. Several threads may share a stack.
std::string thread_names(std::string_view details) {
  std::string names;
  for (std::size_t at = 0; at < details.size();) {
    const std::size_t end = std::min(details.find("; ", at), details.size());
    std::string_view label = details.substr(at, end - at);
    if (label.starts_with("Thread ID: ")) {
      label.remove_prefix(std::min(label.find_first_not_of("0123456789", 11), label.size()));
      names += "thread";
    }
    names += label;
    at = end + 2;
  }
  return names;
}

/// What two runs have in common of a name. System V memory is named by a key in hexadecimal (shmget(2)), which
/// PostgreSQL takes from the inode of its directory.
std::string loose_name(const Region& region) {
  return region.rule == "sysv_shm" ? "/SYSV" : without_numbers(stable_name(region));
}

/// A key under which regions of both sides are counted off against each other; empty: this pass is not for it.
using Key = std::string (*)(const Region& region, const Snapshot& of);

std::string name_in(const Region& region, const Snapshot& of) {
  const bool program = region.type == RegionType::Image && region.details == of.target.executable;
  return program ? "the executable" : stable_name(region);
}

std::string protection_text(const Region& region) {
  const auto protection = region.protection();
  return protection ? to_string(*protection) : std::string{};
}

std::string key_of_file_and_size(const Region& region, const Snapshot& of) {
  if (!is_file(region.type) || region.details.empty()) return {};
  return fmt::format("{}|{}|{}", name_in(region, of), region.build_id, region.range.size());
}

std::string key_of_file(const Region& region, const Snapshot& of) {
  return is_file(region.type) ? name_in(region, of) : std::string{};
}

std::string key_of_stack(const Region& region, const Snapshot&) {
  return region.type == RegionType::Stack ? stable_name(region) : std::string{};
}

std::string key_of_heap(const Region& region, const Snapshot&) {
  const bool counted = region.type == RegionType::Heap || region.type == RegionType::Unusable;
  return counted ? fmt::format("{}|{}", region.rule, without_numbers(region.details)) : std::string{};
}

std::string key_of_name_and_size(const Region& region, const Snapshot&) {
  return fmt::format("{}|{}|{}", region.details, region.range.size(), protection_text(region));
}

std::string key_of_loose_name(const Region& region, const Snapshot&) {
  if (region.details.empty()) return {};
  return fmt::format("{}|{}", loose_name(region), region.build_id);
}

std::string key_of_file_name(const Region& region, const Snapshot&) {
  if (!is_file(region.type)) return {};
  return region.details.substr(region.details.rfind('/') + 1);
}

std::string key_of_size_class(const Region& region, const Snapshot&) {
  return fmt::format("{}|{}", loose_name(region), std::bit_width(region.range.size()));
}

std::string key_of_folder_and_size_class(const Region& region, const Snapshot&) {
  const std::size_t slash = region.details.rfind('/');
  if (!is_file(region.type) || slash == std::string::npos || slash == 0) return {};
  return fmt::format("{}|{}", region.details.substr(0, slash), std::bit_width(region.range.size()));
}

/// Who owns private memory is found by what its bytes say, which may succeed in one run and not in the next: of ld.so's
/// pages, those that lead to no library at that moment.
std::string key_of_private_size(const Region& region, const Snapshot&) {
  if (region.type != RegionType::PrivateData) return {};
  return fmt::format("{}|{}", region.range.size(), protection_text(region));
}

/// The regions of one side that have no partner yet.
struct Side {
  const Snapshot& snapshot;
  std::vector<bool> taken;

  explicit Side(const Snapshot& of) : snapshot(of), taken(of.regions.size(), false) {}
  const Region& region(std::size_t index) const { return snapshot.regions[index]; }
};

class IdentityMatcher {
 public:
  IdentityMatcher(const Snapshot& base, const Snapshot& now) : base_(base), now_(now) {}

  std::vector<RegionMatch> run() {
    pair_by(key_of_file_and_size);
    pair_by(key_of_file);
    find_shifts();
    pair_by_distance();
    for (const Key key : {key_of_stack, key_of_heap, key_of_name_and_size, key_of_loose_name, key_of_file_name})
      pair_by(key);
    join_by_distance();
    pair_by(key_of_size_class);
    pair_by(key_of_folder_and_size_class);
    pair_by(key_of_private_size);
    append_unmatched(matches_, base_.taken, now_.taken);
    return std::move(matches_);
  }

 private:
  using Lists = std::unordered_map<std::string, std::vector<std::size_t>>;

  static Lists lists_of(const Side& side, Key key) {
    Lists lists;
    for (std::size_t i = 0; i < side.taken.size(); ++i) {
      if (side.taken[i]) continue;
      std::string text = key(side.region(i), side.snapshot);
      if (!text.empty()) lists[fmt::format("{}|{}", name_of(side.region(i).type), text)].push_back(i);
    }
    return lists;
  }

  /// The N-th from the top of each key on one side is the N-th of the other.
  void pair_by(Key key) {
    const Lists base = lists_of(base_, key);
    for (const auto& [text, now] : lists_of(now_, key)) {
      const auto found = base.find(text);
      if (found == base.end()) continue;
      const std::size_t pairs = std::min(found->second.size(), now.size());
      for (std::size_t i = 0; i < pairs; ++i)
        take({.base = {found->second.rbegin()[static_cast<std::ptrdiff_t>(i)]},
              .now = {now.rbegin()[static_cast<std::ptrdiff_t>(i)]}});
    }
  }

  void take(RegionMatch match) {
    for (const std::size_t i : match.base) base_.taken[i] = true;
    for (const std::size_t i : match.now) now_.taken[i] = true;
    matches_.push_back(std::move(match));
  }

  /// By how much things moved, the most frequent first. 0 is among them: some runtimes want fixed addresses.
  void find_shifts() {
    std::map<Address, std::size_t> counts;
    for (const RegionMatch& match : matches_)
      ++counts[now_.region(match.now[0]).range.begin - base_.region(match.base[0]).range.begin];
    std::vector<std::pair<std::size_t, Address>> sorted;
    for (const auto& [shift, count] : counts) sorted.emplace_back(count, shift);
    std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    for (const auto& [count, shift] : sorted)
      if (shifts_.size() < most_shifts && shift != 0) shifts_.push_back(shift);
    shifts_.push_back(0);
  }

  static bool alike(const Region& a, const Region& b) { return a.type == b.type && loose_name(a) == loose_name(b); }

  /// What begins at the same distance from the libraries.
  void pair_by_distance() {
    std::unordered_map<Address, std::size_t> begins;
    for (std::size_t i = 0; i < now_.taken.size(); ++i)
      if (!now_.taken[i]) begins.emplace(now_.region(i).range.begin, i);
    for (const Address shift : shifts_) {
      for (std::size_t i = 0; i < base_.taken.size(); ++i) {
        if (base_.taken[i]) continue;
        const auto found = begins.find(base_.region(i).range.begin + shift);
        if (found == begins.end() || now_.taken[found->second]) continue;
        if (alike(base_.region(i), now_.region(found->second))) take({.base = {i}, .now = {found->second}});
      }
    }
  }

  /// What overlaps at the same distance from the libraries, as within one process.
  void join_by_distance() {
    std::unordered_map<std::string, std::uint32_t> groups;
    for (const Address shift : shifts_) {
      for (RegionMatch& match : join_overlapping(candidates(base_, shift, groups), candidates(now_, 0, groups)))
        if (!match.base.empty() && !match.now.empty()) take(std::move(match));
    }
  }

  static std::vector<Candidate> candidates(const Side& side, Address shift,
                                           std::unordered_map<std::string, std::uint32_t>& groups) {
    std::vector<Candidate> list;
    for (std::size_t i = 0; i < side.taken.size(); ++i) {
      if (side.taken[i]) continue;
      const Region& region = side.region(i);
      const auto range = Range::make(region.range.begin + shift, region.range.size());
      if (!range) continue;  // moved beyond the end of all addresses: overlaps nothing
      auto name = fmt::format("{}|{}", name_of(region.type), loose_name(region));
      const auto group = groups.try_emplace(std::move(name), static_cast<std::uint32_t>(groups.size() + 1)).first;
      list.push_back({i, group->second, *range});
    }
    return list;
  }

  Side base_, now_;
  std::vector<Address> shifts_;
  std::vector<RegionMatch> matches_;
};

}  // namespace

std::string stable_name(const Region& region) {
  return region.type == RegionType::Stack ? thread_names(region.details) : region.details;
}

std::vector<RegionMatch> match_by_identity(const Snapshot& base, const Snapshot& now) {
  return IdentityMatcher(base, now).run();
}

}  // namespace vmscan
