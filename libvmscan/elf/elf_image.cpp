#include "libvmscan/elf/elf_image.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "libvmscan/elf/elf_layout.h"
#include "libvmscan/elf/export_filter.h"

namespace vmscan {
namespace {

constexpr std::size_t max_program_headers = 4096;
constexpr std::size_t max_segments = 64;
constexpr std::size_t max_sections = 16384;
constexpr std::size_t max_names_bytes = 1 << 20;
constexpr std::size_t max_section_name = 64;
constexpr std::size_t max_note_bytes = 1 << 16;
constexpr std::size_t max_build_id = 64;

struct Class32 {
  using Header = elf::Header32;
  using Segment = elf::Segment32;
  using Section = elf::Section32;
};
struct Class64 {
  using Header = elf::Header64;
  using Segment = elf::Segment64;
  using Section = elf::Section64;
};

/// Keeps the first page, which usually holds the program headers and the build id as well.
class CachedFile {
 public:
  explicit CachedFile(const ReadAt& read) : read_(read), first_(4096) { first_.resize(read(0, first_)); }

  bool read(std::uint64_t offset, std::span<std::byte> out) const {
    if (offset <= first_.size() && out.size() <= first_.size() - offset) {
      std::copy_n(first_.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
      return true;
    }
    return read_(offset, out) == out.size();
  }
  template <class T>
  bool read_table(std::uint64_t offset, std::vector<T>& table) const {
    return read(offset, std::as_writable_bytes(std::span(table)));
  }
  std::size_t first_size() const { return first_.size(); }

 private:
  const ReadAt& read_;
  std::vector<std::byte> first_;
};

std::optional<Range> bounded(std::uint64_t begin, std::uint64_t size) { return Range::make(begin, size); }

std::string build_id_in(std::span<const std::byte> notes) {
  const auto aligned = [](std::size_t size) { return (size + 3) & ~std::size_t{3}; };
  while (notes.size() >= sizeof(elf::NoteHeader)) {
    elf::NoteHeader note;
    std::memcpy(&note, notes.data(), sizeof note);
    notes = notes.subspan(sizeof note);
    if (note.namesz > notes.size() || note.descsz > notes.size()) break;
    const std::size_t name = aligned(note.namesz), descriptor = aligned(note.descsz);
    if (name > notes.size() || note.descsz > notes.size() - name) break;
    const bool gnu = note.namesz == 4 && std::memcmp(notes.data(), "GNU", 4) == 0;
    if (gnu && note.type == elf::nt_gnu_build_id && note.descsz <= max_build_id) {
      std::string hex;
      for (const std::byte byte : notes.subspan(name, note.descsz))
        hex += fmt::format("{:02x}", std::to_integer<int>(byte));
      return hex;
    }
    notes = notes.subspan(std::min(notes.size(), name + descriptor));
  }
  return {};
}

template <class Segment>
void take_segment(const CachedFile& file, const Segment& segment, ElfImage& image) {
  const auto memory = bounded(segment.vaddr, segment.memsz);
  if (!memory || !bounded(segment.offset, segment.filesz)) return;
  if (segment.type == elf::pt_load && segment.memsz > 0 && image.segments.size() < max_segments)
    image.segments.push_back({segment.vaddr, segment.offset, std::min<std::uint64_t>(segment.filesz, segment.memsz),
                              segment.memsz, (segment.flags & elf::pf_r) != 0, (segment.flags & elf::pf_w) != 0,
                              (segment.flags & elf::pf_x) != 0});
  if (segment.type == elf::pt_gnu_relro) image.relro = *memory;
  if (segment.type == elf::pt_dynamic) image.dynamic = *memory;
  if (segment.type == elf::pt_note && image.build_id.empty() && segment.filesz <= max_note_bytes) {
    std::vector<std::byte> notes(segment.filesz);
    if (file.read(segment.offset, notes)) image.build_id = build_id_in(notes);
  }
}

template <class Class>
Result<void> take_segments(const CachedFile& file, const typename Class::Header& header, ElfImage& image) {
  if (header.phentsize != sizeof(typename Class::Segment) || header.phnum > max_program_headers)
    return fail(ErrorCode::Malformed,
                fmt::format("not a usable ELF file: {} program headers of {} bytes", header.phnum, header.phentsize));
  std::vector<typename Class::Segment> segments(header.phnum);
  if (!file.read_table(header.phoff, segments))
    return fail(ErrorCode::Truncated, "the ELF file ends before its program headers");
  for (const auto& segment : segments) take_segment(file, segment, image);
  return {};
}

template <class Class>
void take_sections(const CachedFile& file, const typename Class::Header& header, ElfImage& image) {
  using Section = typename Class::Section;
  if (header.shentsize != sizeof(Section) || header.shnum == 0 || header.shnum > max_sections ||
      header.shstrndx >= header.shnum)
    return;
  std::vector<Section> sections(header.shnum);
  if (!file.read_table(header.shoff, sections)) return;
  const Section& names_section = sections[header.shstrndx];
  if (names_section.type == elf::sht_nobits || names_section.size > max_names_bytes) return;
  std::vector<char> names(names_section.size);
  if (!file.read_table(names_section.offset, names)) return;
  for (const Section& section : sections) {
    const bool in_memory = (section.flags & elf::shf_alloc) != 0 && section.size > 0;
    const bool tls_bss =
        (section.flags & elf::shf_tls) != 0 && section.type == elf::sht_nobits;  // takes no address space
    const auto range = bounded(section.addr, section.size);
    if (!in_memory || tls_bss || !range || section.name >= names.size()) continue;
    const char* name = names.data() + section.name;
    image.sections.push_back(
        {std::string(name, strnlen(name, std::min(max_section_name, names.size() - section.name))), *range});
  }
}

template <class Class>
Result<ElfImage> read_class(const CachedFile& file, unsigned pointer_bits, const ElfImageOptions& options) {
  typename Class::Header header;
  if (!file.read(0, std::as_writable_bytes(std::span(&header, 1))))
    return fail(ErrorCode::Truncated, "the ELF file ends inside its header");
  ElfImage image;
  image.pointer_bits = pointer_bits;
  if (const auto taken = take_segments<Class>(file, header, image); !taken) return std::unexpected(taken.error());
  if (options.sections) take_sections<Class>(file, header, image);
  const auto read = [&](std::uint64_t offset, std::span<std::byte> out) { return file.read(offset, out); };
  if (options.exports) image.exports = read_export_filter(read, image);
  return image;
}

}  // namespace

std::optional<std::uint64_t> file_offset(const ElfImage& image, std::uint64_t address, std::uint64_t size) {
  for (const ElfSegment& segment : image.segments) {
    if (address < segment.address) continue;
    const std::uint64_t inside = address - segment.address;
    if (inside < segment.file_size && size <= segment.file_size - inside) return segment.offset + inside;
  }
  return std::nullopt;
}

Result<ElfImage> read_elf_image(const ReadAt& read, const ElfImageOptions& options) {
  const CachedFile file(read);
  std::array<unsigned char, 16> ident{};
  if (!file.read(0, std::as_writable_bytes(std::span(ident))) ||
      !std::equal(std::begin(elf::magic), std::end(elf::magic), ident.begin()))
    return fail(ErrorCode::Malformed, "not an ELF file");
  if (ident[elf::ident_data] != 1) return fail(ErrorCode::Unsupported, "a big-endian ELF file");
  if (ident[elf::ident_class] == 1) return read_class<Class32>(file, 32, options);
  if (ident[elf::ident_class] == 2) return read_class<Class64>(file, 64, options);
  return fail(ErrorCode::Malformed, "an ELF file of neither 32 nor 64 bits");
}

}  // namespace vmscan
