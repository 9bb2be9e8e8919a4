#include "libvmscan/source/minidump/minidump_stream.h"

#include <algorithm>
#include <array>
#include <utility>

#include "libvmscan/base/little_endian.h"
#include "libvmscan/base/utf16.h"

namespace vmscan {
namespace {

constexpr std::array<std::pair<std::uint32_t, std::string_view>, 16> names{{
    {stream_type::thread_list, "ThreadList"},
    {stream_type::module_list, "ModuleList"},
    {stream_type::memory_list, "MemoryList"},
    {stream_type::exception, "Exception"},
    {stream_type::system_info, "SystemInfo"},
    {stream_type::thread_ex_list, "ThreadExList"},
    {stream_type::memory64_list, "Memory64List"},
    {stream_type::misc_info, "MiscInfo"},
    {stream_type::memory_info_list, "MemoryInfoList"},
    {stream_type::thread_info_list, "ThreadInfoList"},
    {stream_type::process_vm_counters, "ProcessVmCounters"},
    {stream_type::thread_names, "ThreadNames"},
    {stream_type::linux_proc_status, "LinuxProcStatus"},
    {stream_type::linux_cmd_line, "LinuxCmdLine"},
    {stream_type::linux_auxv, "LinuxAuxv"},
    {stream_type::linux_maps, "LinuxMaps"},
}};

constexpr std::size_t piece_bytes = 64 << 10;
constexpr std::uint64_t longest_text = 64 << 10;  // bytes; the longest path of Windows has 32,767 units

std::optional<std::uint64_t> file_number(const FileBytes& file, std::uint64_t offset, unsigned width) {
  std::array<std::byte, 8> bytes{};
  if (!file.read_whole(offset, std::span(bytes).first(width))) return std::nullopt;
  return number_at(bytes, 0, width);
}

}  // namespace

std::string_view name_of_stream(std::uint32_t type) {
  for (const auto& [number, name] : names)
    if (number == type) return name;
  return {};
}

std::uint64_t for_each_record(const FileBytes& file, const RecordList& list, std::size_t size,
                              const std::function<bool(RecordBytes)>& take) {
  const std::uint64_t room = list.offset < list.end ? list.end - list.offset : 0;
  // The last record may end with what is known of it.
  const std::uint64_t there = room < size ? 0 : (room - size) / list.stride + 1;
  const std::uint64_t usable = std::min(list.count, there);
  const std::uint64_t at_once = std::max<std::uint64_t>(1, piece_bytes / list.stride);
  std::uint64_t lost = list.count - usable;
  std::vector<std::byte> piece;
  for (std::uint64_t done = 0; done < usable; done += at_once) {
    const std::uint64_t count = std::min(at_once, usable - done);
    piece.resize(static_cast<std::size_t>((count - 1) * list.stride + size));
    if (!file.read_whole(list.offset + done * list.stride, piece)) return lost + usable - done;
    for (std::uint64_t i = 0; i < count; ++i)
      lost += !take(RecordBytes(piece).subspan(static_cast<std::size_t>(i * list.stride), size));
  }
  return lost;
}

std::optional<RecordList> simple_list(const FileBytes& file, const Stream& stream, std::uint64_t stride) {
  const auto count = stream.size < 4 ? std::nullopt : file_number(file, stream.offset, 4);
  if (!count) return std::nullopt;
  const std::uint64_t header = stream.told == 8 + *count * stride ? 8 : 4;
  return RecordList{stream.offset + header, stride, *count, stream.offset + stream.size};
}

std::optional<RecordList> sized_list(const FileBytes& file, const Stream& stream, unsigned count_width,
                                     std::uint64_t least_record) {
  if (stream.size < 8 + count_width) return std::nullopt;
  const auto header = file_number(file, stream.offset, 4), stride = file_number(file, stream.offset + 4, 4),
             count = file_number(file, stream.offset + 8, count_width);
  if (!header || !stride || !count || *header < 8 + count_width || *stride < least_record) return std::nullopt;
  return RecordList{stream.offset + *header, *stride, *count, stream.offset + stream.size};
}

std::optional<std::string> TextReader::read(std::uint64_t offset) {
  const auto size = file_number(file_, offset, 4);
  std::vector<std::byte> bytes;
  if (size && *size <= std::min(longest_text, left_) && *size <= file_.size) {
    bytes.resize(static_cast<std::size_t>(*size));
    left_ -= *size;
    if (file_.read_whole(offset + 4, bytes)) return utf8_from_utf16(bytes);
  }
  ++lost;
  return std::nullopt;
}

std::vector<std::byte> stream_bytes(const FileBytes& file, const Stream& stream, std::uint64_t most) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(std::min(stream.size, most)));
  bytes.resize(file.read(stream.offset, bytes));
  return bytes;
}

}  // namespace vmscan
