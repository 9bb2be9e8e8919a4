#include "libvmscan/source/linux/text/smaps_text.h"

#include <array>
#include <utility>

#include "libvmscan/source/linux/text/maps_text.h"

namespace vmscan {
namespace {

struct Key {
  std::string_view name;
  Bytes SmapsFacts::*member;
};

// Several keys may add up to one fact.
constexpr std::array<Key, 17> keys{{
    {"Rss", &SmapsFacts::rss},
    {"Pss", &SmapsFacts::pss},
    {"Shared_Clean", &SmapsFacts::shared_pages},
    {"Shared_Dirty", &SmapsFacts::shared_pages},
    {"Private_Clean", &SmapsFacts::private_pages},
    {"Private_Dirty", &SmapsFacts::private_pages},
    {"Referenced", &SmapsFacts::referenced},
    {"Anonymous", &SmapsFacts::anonymous},
    {"AnonHugePages", &SmapsFacts::huge},
    {"ShmemPmdMapped", &SmapsFacts::huge},
    {"FilePmdMapped", &SmapsFacts::huge},
    {"Shared_Hugetlb", &SmapsFacts::hugetlb},
    {"Private_Hugetlb", &SmapsFacts::hugetlb},
    {"Swap", &SmapsFacts::swap},
    {"SwapPss", &SmapsFacts::swap_pss},
    {"KernelPageSize", &SmapsFacts::kernel_page_size},
    {"Locked", &SmapsFacts::locked},
}};

void add(Bytes& fact, std::uint64_t value) { fact = fact.known() ? fact + Bytes{value} : Bytes{value}; }

bool has_flag(std::string_view flags, std::string_view flag) {
  for (std::size_t at = flags.find(flag); at != std::string_view::npos; at = flags.find(flag, at + 1)) {
    const bool starts = at == 0 || flags[at - 1] == ' ';
    const std::size_t end = at + flag.size();
    if (starts && (end == flags.size() || flags[end] == ' ')) return true;
  }
  return false;
}

void take_value(std::string_view name, std::string_view rest, SmapsFacts& facts) {
  const std::size_t begin = rest.find_first_not_of(' ');
  if (begin == std::string_view::npos) return;
  rest.remove_prefix(begin);
  std::uint64_t kib = 0;
  if (!take_decimal(rest, kib) || kib > Bytes::max_value / 1024) return;
  for (const Key& key : keys)
    if (key.name == name) add(facts.*key.member, kib * 1024);
  if (name == "Shared_Dirty" || name == "Private_Dirty") add(facts.dirty, kib * 1024);
}

}  // namespace

void SmapsParser::feed(std::string_view text) {
  if (!partial_.empty()) {
    const std::size_t end = text.find('\n');
    partial_.append(text.substr(0, end));
    if (end == std::string_view::npos) return;
    line(std::exchange(partial_, {}));
    text.remove_prefix(end + 1);
  }
  while (!text.empty()) {
    if (text.find('\n') == std::string_view::npos) {
      partial_ = text;
      return;
    }
    line(take_line(text));
  }
}

std::vector<SmapsEntry> SmapsParser::finish() {
  if (!partial_.empty()) line(std::exchange(partial_, {}));
  close_entry();
  return std::move(entries_);
}

void SmapsParser::line(std::string_view line) {
  const std::size_t colon = line.find(':');
  const std::string_view name = line.substr(0, colon);
  // A header holds a blank before its first colon (that of the device number), a key never does.
  if (colon == std::string_view::npos || name.find(' ') != std::string_view::npos) {
    close_entry();
    std::string_view rest = line;
    Range range;
    open_ = take_hex(rest, range.begin) && rest.starts_with('-') &&
            (rest.remove_prefix(1), take_hex(rest, range.end)) && !range.empty();
    range_ = range;
    return;
  }
  if (!open_) return;
  if (name == "VmFlags")
    facts_.vm_locked = has_flag(line.substr(colon + 1), "lo");
  else
    take_value(name, line.substr(colon + 1), facts_);
}

void SmapsParser::close_entry() {
  if (open_) entries_.push_back({range_, std::make_shared<const SmapsFacts>(facts_)});
  open_ = false;
  facts_ = SmapsFacts{};
}

}  // namespace vmscan
