// The text of /proc/PID/smaps (proc(5)) from a snapshot, for programs that read it.
#include <fmt/format.h>

#include <array>

#include "formats/files/convert.h"

namespace vmscan::formats {
namespace {

struct SmapsField {
  std::string_view name;
  Bytes Usage::*member;
};
constexpr std::array<SmapsField, 7> fields{{{"Pss", &Usage::pss},
                                            {"Referenced", &Usage::referenced},
                                            {"AnonHugePages", &Usage::huge},
                                            {"Private_Hugetlb", &Usage::hugetlb},
                                            {"Swap", &Usage::swap},
                                            {"SwapPss", &Usage::swap_pss},
                                            {"Locked", &Usage::locked_ws}}};

/// What the kernel escapes in a path, and other control characters with it.
std::string path_text(std::string_view path) {
  std::string text;
  for (const char c : path) {
    if (static_cast<unsigned char>(c) < 0x20)
      text += fmt::format("\\{:03o}", static_cast<unsigned char>(c));
    else
      text += c;
  }
  return text;
}

std::string name_of(const Region& region, const Block& block) {
  if (region.type == RegionType::Image || region.type == RegionType::MappedFile) return path_text(region.details);
  if (block.state == State::Reserved) return {};
  if (region.details == "brk heap") return "[heap]";
  if (region.type == RegionType::Stack && region.details.find("main thread") != std::string::npos) return "[stack]";
  return region.details.starts_with('/') ? path_text(region.details) : std::string();
}

void append_field(std::string& out, std::string_view name, Bytes bytes) {
  if (bytes) out += fmt::format("{:<16}{:8} kB\n", fmt::format("{}:", name), *bytes / 1024);
}

void append_block(std::string& out, const Region& region, const Block& block, std::uint64_t page_size) {
  const Protection rights = block.protection.value_or(Protection{});
  std::string head = fmt::format("{:x}-{:x} {}{}{}{} 00000000 00:00 0 ", block.range.begin, block.range.end,
                                 rights.read ? 'r' : '-', rights.write ? 'w' : '-', rights.execute ? 'x' : '-',
                                 region.type == RegionType::Shareable ? 's' : 'p');
  const std::string name = name_of(region, block);
  if (!name.empty()) head += fmt::format("{}{}", std::string(head.size() < 73 ? 73 - head.size() : 0, ' '), name);
  out += head + '\n';
  append_field(out, "Size", block.range.size());
  append_field(out, "KernelPageSize", page_size);
  Bytes rss = block.usage.total_ws;
  if (rss && block.usage.hugetlb) rss = *rss - std::min(*rss, *block.usage.hugetlb);
  append_field(out, "Rss", rss);
  for (const SmapsField& field : fields) append_field(out, field.name, block.usage.*field.member);
}

}  // namespace

std::string write_smaps(const Snapshot& snapshot) {
  std::string out;
  for (const Region& region : snapshot.regions) {
    if (region.type == RegionType::Unusable) continue;
    for (const Block& block : region.blocks) append_block(out, region, block, snapshot.target.page_size);
  }
  return out;
}

}  // namespace vmscan::formats
