#include "libvmscan/source/elf/core_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "libvmscan/base/little_endian.h"
#include "libvmscan/base/range_list.h"
#include "libvmscan/base/repeated_bytes.h"
#include "libvmscan/elf/elf_layout.h"
#include "libvmscan/source/elf/core_notes.h"

namespace vmscan {
namespace {

constexpr std::uint64_t max_headers = 4 << 20;  // the kernel allows 65,530 mappings unless told otherwise
constexpr std::size_t headers_at_once = 4096;

template <class Header, class Segment, class Section>
struct Class {
  using HeaderType = Header;
  using SegmentType = Segment;
  using SectionType = Section;
};
using Class32 = Class<elf::Header32, elf::Segment32, elf::Section32>;
using Class64 = Class<elf::Header64, elf::Segment64, elf::Section64>;

struct NotePart {
  std::uint64_t offset, size;
};

class Reader {
 public:
  Reader(const FileBytes& file, CoreFile& core) : file_(file), core_(core) {}

  template <class C>
  Result<void> read() {
    typename C::HeaderType header;
    if (!get(0, header)) return fail(ErrorCode::Truncated, "the core ends inside its header");
    if (header.type != elf::et_core)
      return fail(ErrorCode::Unsupported, "an ELF program or library, not a core: name the process that runs it");
    if (header.phentsize != sizeof(typename C::SegmentType))
      return fail(ErrorCode::Malformed, fmt::format("a core with program headers of {} bytes", header.phentsize));
    core_.machine = header.machine;
    core_.by_debugger = header.shnum > 1;
    read_segments<C>(header.phoff, count_of<C>(header));
    read_notes();
    return {};
  }

  void tell() {
    const auto note = [&](bool when, std::string code, std::string message) {
      if (when) core_.notes.push_back({std::move(code), std::move(message)});
    };
    note(missing_headers_ > 0, "core_headers_missing",
         fmt::format("{} program headers are missing or too many: the map is not whole", missing_headers_));
    note(bad_segments_ > 0, "core_segments_bad",
         fmt::format("{} segments with impossible addresses were left out", bad_segments_));
    note(broken_notes_ > 0, "core_notes_broken",
         fmt::format("{} notes of the core are broken or cut off", broken_notes_));
    note(cut_ > 0, "core_truncated",
         fmt::format("the core is cut off: {} bytes of {} segments are missing", cut_bytes_, cut_));
  }

 private:
  template <class T>
  bool get(std::uint64_t offset, T& value) const {
    return file_.read_whole(offset, std::as_writable_bytes(std::span(&value, 1)));
  }

  template <class C>
  std::uint64_t count_of(const typename C::HeaderType& header) const {
    typename C::SectionType first;
    if (header.phnum == elf::pn_xnum && header.shoff != 0 && get(header.shoff, first)) return first.info;
    return header.phnum;
  }

  template <class C>
  void read_segments(std::uint64_t offset, std::uint64_t count) {
    using Segment = typename C::SegmentType;
    const std::uint64_t room = offset < file_.size ? (file_.size - offset) / sizeof(Segment) : 0;
    const std::uint64_t usable = std::min({count, room, max_headers});
    missing_headers_ = count - usable;
    std::vector<Segment> part;
    for (std::uint64_t done = 0; done < usable; done += part.size()) {
      part.resize(static_cast<std::size_t>(std::min<std::uint64_t>(usable - done, headers_at_once)));
      if (!file_.read_whole(offset + done * sizeof(Segment), std::as_writable_bytes(std::span(part)))) {
        missing_headers_ += usable - done;
        return;
      }
      for (const Segment& segment : part) take(segment);
    }
  }

  /// Together they cannot be larger than the file, however many headers lead to the same ones.
  void read_notes() {
    std::uint64_t left = file_.size;
    for (const NotePart& part : parts_) {
      const std::uint64_t size = std::min(part.size, left);
      broken_notes_ += (size < part.size) + read_core_notes(file_, part.offset, size, core_);
      left -= size;
    }
  }

  template <class Segment>
  void take(const Segment& segment) {
    if (segment.type == elf::pt_note) parts_.push_back({segment.offset, segment.filesz});
    if (segment.type != elf::pt_load || segment.memsz == 0) return;
    const auto range = Range::make(segment.vaddr, segment.memsz);
    if (!range) {
      ++bad_segments_;
      return;
    }
    CoreSegment taken{.range = *range,
                      .offset = segment.offset,
                      .dumped = std::min<std::uint64_t>(segment.filesz, segment.memsz),
                      .held = 0,
                      .read = (segment.flags & elf::pf_r) != 0,
                      .write = (segment.flags & elf::pf_w) != 0,
                      .execute = (segment.flags & elf::pf_x) != 0};
    taken.held = taken.offset < file_.size ? std::min(taken.dumped, file_.size - taken.offset) : 0;
    cut_ += taken.held < taken.dumped;
    cut_bytes_ = *(Bytes{cut_bytes_} + Bytes{taken.dumped - taken.held});
    core_.segments.push_back(taken);
  }

  const FileBytes& file_;
  CoreFile& core_;
  std::vector<NotePart> parts_;
  std::uint64_t missing_headers_ = 0, cut_bytes_ = 0;
  std::size_t bad_segments_ = 0, broken_notes_ = 0, cut_ = 0;
};

/// What an item loses at its front (see untangle).
void drop_front(CoreSegment& segment, std::uint64_t bytes) {
  segment.offset += std::min(bytes, segment.dumped);
  segment.dumped -= std::min(bytes, segment.dumped);
  segment.held -= std::min(bytes, segment.held);
}
void drop_front(CoreFileMapping& mapping, std::uint64_t bytes) { mapping.offset += bytes; }

}  // namespace

Result<CoreFile> read_core_file(const FileBytes& file) {
  std::array<std::byte, 16> ident{};
  if (!file.read_whole(0, ident)) return fail(ErrorCode::Truncated, "too short for an ELF file");
  for (std::size_t i = 0; i < std::size(elf::magic); ++i)
    if (std::to_integer<unsigned char>(ident[i]) != elf::magic[i]) return fail(ErrorCode::Malformed, "not an ELF file");
  if (ident[elf::ident_data] != std::byte{1}) return fail(ErrorCode::Unsupported, "a big-endian ELF file");
  CoreFile core;
  core.pointer_bits = ident[elf::ident_class] == std::byte{1} ? 32 : 64;
  Reader reader(file, core);
  const auto done = core.pointer_bits == 32 ? reader.read<Class32>() : reader.read<Class64>();
  if (!done) return std::unexpected(done.error());
  reader.tell();
  const auto drop = [](auto& item, std::uint64_t bytes) { drop_front(item, bytes); };
  if (const std::size_t cut = untangle(core.segments, drop) + untangle(core.files, drop); cut > 0)
    core.notes.push_back({"core_overlaps", fmt::format("{} segments or files of the core overlapped others", cut)});
  if (const std::uint64_t repeated = drop_repeated(core.segments, file.size); repeated > 0)
    core.notes.push_back({"core_bytes_repeated", fmt::format("segments lead to the same bytes of the core again: {} "
                                                             "bytes were left out",
                                                             repeated)});
  return core;
}

}  // namespace vmscan
