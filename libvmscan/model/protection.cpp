#include <array>
#include <string>

#include "libvmscan/model/region.h"

namespace vmscan {
namespace {

struct Spelling {
  std::string_view text;
  Protection protection;  // without guard
  int page_constant;      // PAGE_* of winnt.h
};

// VMMap's spellings. Windows has no rights without Read among the writable ones; Linux has, and says so.
constexpr std::array<Spelling, 10> spellings{{
    {"No access", {}, 0x01},
    {"Read", {.read = true}, 0x02},
    {"Read/Write", {.read = true, .write = true}, 0x04},
    {"Write", {.write = true}, 0x04},
    {"Copy on write", {.read = true, .write = true, .copy_on_write = true}, 0x08},
    {"Execute", {.execute = true}, 0x10},
    {"Execute/Read", {.read = true, .execute = true}, 0x20},
    {"Execute/Read/Write", {.read = true, .write = true, .execute = true}, 0x40},
    {"Execute/Write", {.write = true, .execute = true}, 0x40},
    {"Execute/Copy on Write", {.read = true, .write = true, .execute = true, .copy_on_write = true}, 0x80},
}};

constexpr std::string_view guard_suffix = "/Guard";
constexpr int page_guard = 0x100;

/// Copy on write means something only for what can be read and written.
constexpr Protection normalized(Protection protection) {
  protection.guard = false;
  protection.copy_on_write = protection.copy_on_write && protection.read && protection.write;
  return protection;
}

const Spelling& spelling_of(Protection protection) {
  const Protection wanted = normalized(protection);
  for (const Spelling& spelling : spellings) {
    if (spelling.protection == wanted) return spelling;
  }
  return spellings.front();  // not reached: the table holds every normalized combination
}

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

}  // namespace

std::string to_string(Protection protection) {
  std::string text(spelling_of(protection).text);
  if (protection.guard) text += guard_suffix;
  return text;
}

std::optional<Protection> parse_protection(std::string_view text) {
  const bool guard = text.size() > guard_suffix.size() &&
                     equal_ignoring_case(text.substr(text.size() - guard_suffix.size()), guard_suffix);
  if (guard) text.remove_suffix(guard_suffix.size());
  for (const Spelling& spelling : spellings) {
    if (!equal_ignoring_case(spelling.text, text)) continue;
    Protection protection = spelling.protection;
    protection.guard = guard;
    return protection;
  }
  return std::nullopt;
}

int page_constant(Protection protection) {
  return spelling_of(protection).page_constant + (protection.guard ? page_guard : 0);
}

}  // namespace vmscan
