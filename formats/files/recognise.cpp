#include "formats/files/recognise.h"

#include <algorithm>
#include <array>
#include <string>

#include "formats/files/compression.h"
#include "formats/native/snapshot_json.h"
#include "formats/views/text.h"

namespace vmscan::formats {
namespace {

constexpr std::string_view elf_magic =
    "\x7F"
    "ELF";
constexpr std::string_view minidump_magic = "MDMP";
constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
constexpr std::size_t looked_at = 65536;

/// Offset 16 of the ELF header is e_type, in the byte order that e_ident[EI_DATA] tells; ET_CORE is 4 (elf(5)).
FileKind elf_kind(std::string_view bytes) {
  if (bytes.size() < 18) return FileKind::Beginning;
  const bool big_endian = bytes[5] == 2;
  const char low = bytes[big_endian ? 17 : 16], high = bytes[big_endian ? 16 : 17];
  return low == 4 && high == 0 ? FileKind::ElfCore : FileKind::OtherElf;
}

std::string_view without_leading_space(std::string_view text) {
  if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
  return text.substr(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
}

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

/// "7f00-7f01 r-xp …", as the first line of maps and smaps begins (proc(5)).
bool looks_like_maps(std::string_view text) {
  const auto skip_hex = [&text] {
    const std::size_t before = text.size();
    while (!text.empty() && is_hex(text.front())) text.remove_prefix(1);
    return before != text.size();
  };
  if (!skip_hex() || !text.starts_with('-')) return false;
  text.remove_prefix(1);
  if (!skip_hex() || text.size() < 6 || text[0] != ' ') return false;
  return (text[1] == 'r' || text[1] == '-') && (text[4] == 'p' || text[4] == 's') && text[5] == ' ';
}

bool has(std::string_view text, std::string_view word) {
  const auto same = [](char a, char b) { return folded_name({&a, 1}) == folded_name({&b, 1}); };
  return std::search(text.begin(), text.end(), word.begin(), word.end(), same) != text.end();
}

FileKind xml_kind(std::string_view text) {
  if (has(text, "<Snapshots") || has(text, "<Snapshot") || has(text, "<MemoryRegions")) return FileKind::Mmp;
  return FileKind::OtherXml;
}

/// The header of VMMap's table of regions: its first titles, in CSV behind separators of any kind.
FileKind table_kind(std::string_view text) {
  const std::size_t address = text.find("Address");
  const bool has_titles = address != std::string_view::npos && has(text.substr(address, 200), "Total WS") &&
                          has(text.substr(address, 100), "Committed");
  const bool quoted = text.starts_with("\"Process:\"") || text.starts_with("Process:,") ||
                      text.starts_with("Process:;") || text.starts_with("Process:\t");
  if (quoted) return FileKind::VmmapCsv;
  if (!has_titles) return text.starts_with("Process:") ? FileKind::VmmapText : FileKind::Unknown;
  const std::size_t after = address + 7;
  const bool separated = after < text.size() && std::string_view("\",;\t").find(text[after]) != std::string_view::npos;
  return separated ? FileKind::VmmapCsv : FileKind::VmmapText;
}

bool is_beginning(std::string_view text) {
  constexpr std::array<std::string_view, 6> beginnings{"{\"schema\":\"vmscan", "<?xml",    "<root",
                                                       "\"Process:\"",         "Process:", minidump_magic};
  return std::any_of(beginnings.begin(), beginnings.end(), [text](auto whole) { return whole.starts_with(text); }) ||
         elf_magic.starts_with(text) || text == "\x28\xB5" || text == "\x28\xB5\x2F" || text == "\x1F";
}

}  // namespace

FileKind recognise(std::string_view first_bytes) {
  const std::string_view bytes = first_bytes.substr(0, looked_at);
  if (bytes.starts_with(elf_magic)) return elf_kind(bytes);
  if (bytes.starts_with(minidump_magic)) return FileKind::Minidump;
  const Compression compression = compression_of(bytes);
  if (compression != Compression::None) return compression == Compression::Zstd ? FileKind::Zstd : FileKind::Gzip;
  const std::string_view text = without_leading_space(bytes);
  if (text.empty()) return FileKind::Empty;
  if (looks_like_snapshot(text)) {
    const std::size_t name = text.find("\"vmscan.");
    const bool other = name < 40 && !text.substr(name).starts_with("\"vmscan.snapshot/") && text.size() > name + 18;
    return other ? FileKind::OtherJson : FileKind::Snapshot;
  }
  if (is_beginning(text)) return FileKind::Beginning;
  if (text.starts_with('<')) return xml_kind(text);
  if (looks_like_maps(text)) return FileKind::Smaps;
  return table_kind(text);
}

std::string_view explanation(FileKind kind) {
  switch (kind) {
    case FileKind::Empty:
      return "the file is empty";
    case FileKind::ElfCore:
      return "an ELF core: it holds one process's memory, no snapshots";
    case FileKind::OtherElf:
      return "an ELF file, but a program or library and not a core: start it, or name its pid";
    case FileKind::Minidump:
      return "a minidump: it holds one process's memory, no snapshots";
    case FileKind::Zstd:
    case FileKind::Gzip:
      return "compressed more than once: unpack it first";
    case FileKind::Smaps:
      return "text of /proc/PID/maps or smaps, which is not read: name the pid instead";
    case FileKind::OtherXml:
      return "an XML file, but no memory map of VMMap";
    case FileKind::Beginning:
      return "only the beginning of a file: too short to tell of which kind";
    default:
      return "not a snapshot of vmscan, nor anything else that it knows";
  }
}

}  // namespace vmscan::formats
