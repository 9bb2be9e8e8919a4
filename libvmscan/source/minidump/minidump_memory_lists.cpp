// MemoryList, Memory64List, MemoryInfoList and ModuleList.
#include <fmt/format.h>

#include <array>

#include "libvmscan/base/little_endian.h"
#include "libvmscan/source/minidump/minidump_parts.h"
#include "libvmscan/source/windows/layout/memory_constants.h"

namespace vmscan {
namespace {

constexpr std::size_t module_bytes = 108, memory_bytes = 16, info_bytes = 48;
constexpr std::uint32_t cv_pdb = 0x53445352, cv_elf = 0x4270454c;  // "RSDS", Breakpad's "BpEL"
constexpr std::size_t longest_build_id = 64;

std::string hex(RecordBytes bytes) {
  std::string text;
  for (const std::byte byte : bytes) fmt::format_to(std::back_inserter(text), "{:02x}", std::to_integer<int>(byte));
  return text;
}

/// GUID and age of the symbols as symbol servers write them, or the build id of an ELF file; empty when neither is
/// told.
std::string build_id(const FileBytes& file, RecordBytes module) {
  const std::uint64_t size = *number_at(module, 76, 4), offset = *number_at(module, 80, 4);
  std::array<std::byte, 4 + longest_build_id> bytes{};
  const RecordBytes record = std::span(bytes).first(static_cast<std::size_t>(std::min<std::uint64_t>(size, 68)));
  if (size < 5 || !file.read_whole(offset, std::span(bytes).first(record.size()))) return {};
  const std::uint64_t signature = *number_at(record, 0, 4);
  if (signature == cv_elf) return hex(record.subspan(4));
  if (signature != cv_pdb || record.size() < 24) return {};
  return fmt::format("{:08x}{:04x}{:04x}{}{:x}", *number_at(record, 4, 4), *number_at(record, 8, 2),
                     *number_at(record, 10, 2), hex(record.subspan(12, 8)), *number_at(record, 20, 4));
}

}  // namespace

bool add_memory(DumpReading& reading, std::uint64_t begin, std::uint64_t size, std::uint64_t offset,
                std::vector<DumpedMemory>& pieces) {
  const auto range = Range::make(reading.address(begin), size);
  if (!range) return false;
  if (range->empty()) return true;
  const std::uint64_t held = offset < reading.file.size ? std::min(size, reading.file.size - offset) : 0;
  reading.bytes_cut = *(Bytes{reading.bytes_cut} + Bytes{size - held});
  pieces.push_back({*range, offset, held});
  return true;
}

std::uint64_t read_memory_list(DumpReading& reading, const Stream& stream) {
  const auto list = simple_list(reading.file, stream, memory_bytes);
  if (!list) return 1;
  return for_each_record(reading.file, *list, memory_bytes, [&](RecordBytes record) {
    return add_memory(reading, *number_at(record, 0, 8), *number_at(record, 8, 4), *number_at(record, 12, 4),
                      reading.dump.memory);
  });
}

/// The pieces lie one behind the other in the file, from one offset on.
std::uint64_t read_memory64_list(DumpReading& reading, const Stream& stream) {
  const auto head = stream_bytes(reading.file, stream, 16);
  const auto count = number_at(head, 0, 8), base = number_at(head, 8, 8);
  if (!count || !base) return 1;
  reading.dump.full_memory = true;
  std::uint64_t offset = *base;
  const RecordList list{stream.offset + 16, memory_bytes, *count, stream.offset + stream.size};
  return for_each_record(reading.file, list, memory_bytes, [&](RecordBytes record) {
    const std::uint64_t size = *number_at(record, 8, 8), at = offset;
    offset = size > ~offset ? ~std::uint64_t{0} : offset + size;
    return add_memory(reading, *number_at(record, 0, 8), size, at, reading.dump.memory);
  });
}

std::uint64_t read_memory_info(DumpReading& reading, const Stream& stream) {
  MinidumpFile& dump = reading.dump;
  const auto list = sized_list(reading.file, stream, 8, info_bytes);
  if (!list) return 1;
  dump.has_memory_info = true;
  const std::uint64_t lost = for_each_record(reading.file, *list, info_bytes, [&](RecordBytes record) {
    const auto range = Range::make(reading.address(*number_at(record, 0, 8)), *number_at(record, 24, 8));
    const auto state = state_of_memory(*number32_at(record, 32));
    if (!range || range->empty() || !state) return false;
    const bool committed = *state == State::Committed;
    dump.memory_info.push_back(
        {.range = *range,
         .allocation_base = reading.address(*number_at(record, 8, 8)),
         .kind = kind_of_memory(*number32_at(record, 40)),
         .state = *state,
         .protection = committed ? protection_of_pages(*number32_at(record, 36)) : std::nullopt});
    return true;
  });
  dump.memory_info_whole = lost == 0;
  return lost;
}

std::uint64_t read_modules(DumpReading& reading, const Stream& stream) {
  const auto list = simple_list(reading.file, stream, module_bytes);
  if (!list) return 1;
  return for_each_record(reading.file, *list, module_bytes, [&](RecordBytes record) {
    const auto range = Range::make(reading.address(*number_at(record, 0, 8)), *number_at(record, 8, 4));
    if (!range || range->empty()) return false;
    reading.dump.modules.push_back({.range = *range,
                                    .path = reading.texts.read(*number_at(record, 20, 4)).value_or(""),
                                    .build_id = build_id(reading.file, record),
                                    .sections = {}});
    return true;
  });
}

}  // namespace vmscan
